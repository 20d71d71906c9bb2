// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
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
 * Reader of the settings that the installed bundles accept. A component's settings are those in its metatype and those
 * in its component description, which holds the defaults of its annotation.
 *
 * <p>Bundles of this project report unknown settings themselves, in other containers too. If a component's only
 * properties are {@code heap.*}, it may declare heap properties and read further settings from its configuration.
 */
final class InstalledComponents {
    private static final String OURS = "org.dmabuf.heap.";
    private static final String SERVICES = "(|(objectClass=org.osgi.service.cm.ManagedService)"
            + "(objectClass=org.osgi.service.cm.ManagedServiceFactory))";

    private final BundleContext context;

    InstalledComponents(BundleContext context) {
        this.context = context;
    }

    private static boolean isOfHeaps(String property) {
        return property.startsWith("heap.");
    }

    /** {@return the current components; empty without Declarative Services and Metatype} */
    Optional<Components> now() {
        ServiceReference<ServiceComponentRuntime> runtime = context.getServiceReference(ServiceComponentRuntime.class);
        ServiceReference<MetaTypeService> metatypes = context.getServiceReference(MetaTypeService.class);
        return runtime == null || metatypes == null
                ? Optional.empty()
                : Optional.of(now(context.getService(runtime), context.getService(metatypes)));
    }

    Components now(ServiceComponentRuntime runtime, MetaTypeService metatypes) {
        Map<String, Set<String>> described = described(metatypes);
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

    /** {@return the settings of each PID for which a bundle has a metatype} */
    private Map<String, Set<String>> described(MetaTypeService metatypes) {
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

    /** {@return the PIDs of managed services, which work without Declarative Services} */
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
            throw new IllegalStateException(e); // the filter is a constant
        }
        return pids;
    }
}
