// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;
import org.osgi.service.metatype.AttributeDefinition;
import org.osgi.service.metatype.MetaTypeInformation;
import org.osgi.service.metatype.MetaTypeService;
import org.osgi.service.metatype.ObjectClassDefinition;

/**
 * Reader of what the installed bundles can be configured with. The settings of a component are those that its metatype
 * describes, and the properties that its own description declares, which are the defaults of its annotation.
 *
 * <p>Bundles of this project tell by themselves which settings they do not know, in other containers too. A component
 * whose only properties are {@code heap.*} may be one that declares itself, and reads others from its configuration.
 */
final class InstalledComponents {
    private static final String OURS = "org.dmabuf.heap.";
    private static final String SERVICES = "(|(objectClass=org.osgi.service.cm.ManagedService)"
            + "(objectClass=org.osgi.service.cm.ManagedServiceFactory))";

    private final BundleContext context;
    private final ServiceComponentRuntime runtime;
    private final MetaTypeService metatypes;

    InstalledComponents(BundleContext context, ServiceComponentRuntime runtime, MetaTypeService metatypes) {
        this.context = context;
        this.runtime = runtime;
        this.metatypes = metatypes;
    }

    private static boolean isOfHeaps(String property) {
        return property.startsWith("heap.");
    }

    /** {@return those that there are now} */
    Components now() {
        Map<String, Set<String>> described = described();
        Map<String, Set<String>> settings = new HashMap<>();
        described.keySet().forEach(pid -> settings.put(pid, Components.ANY));
        managed().forEach(pid -> settings.put(pid, Components.ANY));
        for (ComponentDescriptionDTO component : runtime.getComponentDescriptionDTOs()) {
            for (String pid : component.configurationPid) {
                settings.put(pid, settings(component, described.getOrDefault(pid, Set.of())));
            }
        }
        return new Components(settings);
    }

    private static Set<String> settings(ComponentDescriptionDTO component, Set<String> described) {
        Set<String> declared = component.properties.keySet();
        boolean own = component.bundle.symbolicName != null && component.bundle.symbolicName.startsWith(OURS);
        if (own || described.isEmpty() && declared.stream().allMatch(InstalledComponents::isOfHeaps)) {
            return Components.ANY;
        }
        return Stream.concat(described.stream(), declared.stream()).collect(Collectors.toSet());
    }

    /** {@return the settings of each PID that a bundle has a metatype for} */
    private Map<String, Set<String>> described() {
        Map<String, Set<String>> described = new HashMap<>();
        for (Bundle bundle : context.getBundles()) {
            MetaTypeInformation known = metatypes.getMetaTypeInformation(bundle);
            if (known != null) {
                for (String[] pids : new String[][] {known.getPids(), known.getFactoryPids()}) {
                    for (String pid : pids == null ? new String[0] : pids) {
                        described.put(pid, attributes(known.getObjectClassDefinition(pid, null)));
                    }
                }
            }
        }
        return described;
    }

    private static Set<String> attributes(ObjectClassDefinition definition) {
        AttributeDefinition[] attributes = definition.getAttributeDefinitions(ObjectClassDefinition.ALL);
        return attributes == null
                ? Set.of()
                : Arrays.stream(attributes).map(AttributeDefinition::getID).collect(Collectors.toSet());
    }

    /** {@return the PIDs that services take themselves, without Declarative Services} */
    private Set<String> managed() {
        Set<String> pids = new TreeSet<>();
        try {
            ServiceReference<?>[] services = context.getAllServiceReferences(null, SERVICES);
            for (ServiceReference<?> service : services == null ? new ServiceReference<?>[0] : services) {
                switch (service.getProperty(Constants.SERVICE_PID)) {
                    case String one -> pids.add(one);
                    case String[] several -> pids.addAll(Arrays.asList(several));
                    case Iterable<?> several -> several.forEach(pid -> pids.add(String.valueOf(pid)));
                    case null, default -> {}
                }
            }
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e); // a constant
        }
        return pids;
    }
}
