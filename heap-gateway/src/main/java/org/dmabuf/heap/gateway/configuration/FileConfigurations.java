// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.Configuration.ConfigurationAttribute;
import org.osgi.service.cm.ConfigurationAdmin;

/**
 * Configurations of Configuration Admin that come from files. Each has the path of its file under the key that Felix
 * File Install uses.
 *
 * <p>A configuration with settings is read-only for other users of Configuration Admin, since a change there would end
 * with the next start, when the file is read again. A file without settings gives a component its defaults, unless
 * there is a configuration of another origin. Others can change that configuration, and then it is theirs.
 */
final class FileConfigurations implements ConfigurationFolder.Target {
    private static final String FILE = "felix.fileinstall.filename";
    private static final String ANY_LOCATION = "?";
    /** Properties that are not settings. */
    private static final Set<String> ADDED = Set.of(FILE, Constants.SERVICE_PID, ConfigurationAdmin.SERVICE_FACTORYPID);

    private final ConfigurationAdmin admin;
    private final Path folder;

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
        Set<String> files = names.stream().map(this::uri).collect(Collectors.toSet());
        for (Configuration configuration : listed()) {
            if (!files.contains(String.valueOf(configuration.getProperties().get(FILE)))) {
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
    public boolean owns(String name) throws IOException {
        Configuration configuration = configuration(name);
        return isReadOnly(configuration) && isOf(name, configuration);
    }

    @Override
    public void apply(String name, Map<String, Object> settings) throws IOException {
        Configuration configuration = configuration(name);
        if (settings.isEmpty() && configuration.getProperties() != null && !isReadOnly(configuration)) {
            return;
        }
        Dictionary<String, Object> properties = new Hashtable<>(settings);
        properties.put(FILE, uri(name));
        configuration.removeAttributes(ConfigurationAttribute.READ_ONLY);
        configuration.updateIfDifferent(properties);
        if (!settings.isEmpty()) {
            configuration.addAttributes(ConfigurationAttribute.READ_ONLY);
        }
    }

    @Override
    public void remove(String name) throws IOException {
        Configuration configuration = configuration(name);
        if (isOf(name, configuration)) {
            delete(configuration);
        }
    }

    /** Returns whether a file gave a configuration. Another file with the same PID may have replaced it. */
    private boolean isOf(String name, Configuration configuration) {
        Dictionary<String, Object> properties = configuration.getProperties();
        return properties != null && uri(name).equals(properties.get(FILE));
    }

    /** Deletes a configuration, unless another user of Configuration Admin has set it. */
    private static void delete(Configuration configuration) throws IOException {
        if (isReadOnly(configuration) || !hasSettings(configuration)) {
            configuration.removeAttributes(ConfigurationAttribute.READ_ONLY);
            configuration.delete();
        }
    }

    private static boolean isReadOnly(Configuration configuration) {
        return configuration.getAttributes().contains(ConfigurationAttribute.READ_ONLY);
    }

    private static boolean hasSettings(Configuration configuration) {
        Dictionary<String, Object> properties = configuration.getProperties();
        return properties != null && !ADDED.containsAll(Collections.list(properties.keys()));
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
