// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Dictionary;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.Map;
import java.util.Set;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.Configuration.ConfigurationAttribute;
import org.osgi.service.cm.ConfigurationAdmin;

/**
 * Configurations of Configuration Admin that files own. Each has the path of its file under the key that Felix File
 * Install uses. It is read-only for other users of Configuration Admin, since a change there would end with the next
 * start, when the file is read again.
 */
final class FileConfigurations implements ConfigurationFolder.Target {
    private static final String FILE = "felix.fileinstall.filename";
    private static final String ANY_LOCATION = "?";

    private final ConfigurationAdmin admin;
    private final Path folder;
    private final Set<String> owners = new HashSet<>();

    /**
     * @param admin store of the configurations, possibly with those of an earlier process
     * @param folder folder with the files
     */
    FileConfigurations(ConfigurationAdmin admin, Path folder) {
        this.admin = admin;
        this.folder = folder;
    }

    @Override
    public void retain(Set<String> names) throws IOException {
        owners.clear();
        for (Configuration configuration : listed()) {
            String file = String.valueOf(configuration.getProperties().get(FILE));
            names.stream().filter(name -> uri(name).equals(file)).forEach(owners::add);
            if (names.stream().noneMatch(name -> uri(name).equals(file))) {
                delete(configuration);
            }
        }
    }

    private Configuration[] listed() throws IOException {
        try {
            Configuration[] listed = admin.listConfigurations("(" + FILE + "=*)");
            return listed == null ? new Configuration[0] : listed;
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e); // the filter is a constant
        }
    }

    @Override
    public boolean owns(String name) {
        return owners.contains(name);
    }

    @Override
    public void apply(String name, Map<String, Object> settings) throws IOException {
        Dictionary<String, Object> properties = new Hashtable<>(settings);
        properties.put(FILE, uri(name));
        Configuration configuration = configuration(name);
        configuration.removeAttributes(ConfigurationAttribute.READ_ONLY);
        configuration.updateIfDifferent(properties);
        configuration.addAttributes(ConfigurationAttribute.READ_ONLY);
        owners.add(name);
    }

    @Override
    public void remove(String name) throws IOException {
        if (owners.contains(name)) {
            delete(configuration(name));
            owners.remove(name);
        }
    }

    private static void delete(Configuration configuration) throws IOException {
        configuration.removeAttributes(ConfigurationAttribute.READ_ONLY);
        configuration.delete();
    }

    private Configuration configuration(String name) throws IOException {
        String pid = NameCheck.pid(name);
        String instance = NameCheck.instance(name);
        return instance.isEmpty()
                ? admin.getConfiguration(pid, ANY_LOCATION)
                : admin.getFactoryConfiguration(pid, instance, ANY_LOCATION);
    }

    private String uri(String name) {
        return folder.resolve(name).toUri().toString();
    }
}
