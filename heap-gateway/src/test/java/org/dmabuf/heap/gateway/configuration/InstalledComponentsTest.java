// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.dto.BundleDTO;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;
import org.osgi.service.metatype.AttributeDefinition;
import org.osgi.service.metatype.MetaTypeInformation;
import org.osgi.service.metatype.MetaTypeService;
import org.osgi.service.metatype.ObjectClassDefinition;

/** Tests of the settings of components, as their own descriptions declare them. */
class InstalledComponentsTest {
    private final List<ComponentDescriptionDTO> components = new ArrayList<>();
    /** PID of a managed service; null without one. */
    private Object managed;
    /** Attributes in the metatype of the PID {@code org.example.described}; null without a metatype. */
    private String[] described;

    private static <T> T proxy(Class<T> type, BiFunction<String, Object[], Object> calls) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (_, method, arguments) -> calls.apply(method.getName(), arguments)));
    }

    private Components now() {
        ServiceReference<?> service = proxy(ServiceReference.class, (_, _) -> managed);
        BundleContext context = proxy(
                BundleContext.class,
                (method, _) -> method.equals("getBundles")
                        ? new Bundle[] {proxy(Bundle.class, (_, _) -> null)}
                        : managed == null ? null : new ServiceReference<?>[] {service});
        ServiceComponentRuntime runtime = proxy(ServiceComponentRuntime.class, (_, _) -> components);
        ObjectClassDefinition definition = proxy(
                ObjectClassDefinition.class,
                (_, _) -> Arrays.stream(described)
                        .map(id -> proxy(AttributeDefinition.class, (_, _) -> id))
                        .toArray(AttributeDefinition[]::new));
        MetaTypeInformation information = proxy(MetaTypeInformation.class, (method, _) -> switch (method) {
            case "getPids" -> new String[] {"org.example.described"};
            case "getFactoryPids" -> null;
            default -> definition;
        });
        MetaTypeService metatypes = proxy(MetaTypeService.class, (_, _) -> described == null ? null : information);
        return new InstalledComponents(context).now(runtime, metatypes);
    }

    private void component(String bundle, String pid, String... properties) {
        ComponentDescriptionDTO component = new ComponentDescriptionDTO();
        component.bundle = new BundleDTO();
        component.bundle.symbolicName = bundle;
        component.configurationPid = new String[] {pid};
        component.properties = Map.of();
        for (String property : properties) {
            component.properties = new HashMap<>(component.properties);
            component.properties.put(property, "");
        }
        components.add(component);
    }

    @Test
    void a_component_has_the_settings_that_it_declares_and_those_that_are_described() {
        described = new String[] {"size", "heap.id"};
        component("org.example", "org.example.described", "heap.id", "node");
        component("org.example", "org.example.declared", "node");
        assertEquals(Set.of("size", "heap.id", "node"), now().settings("org.example.described"));
        assertEquals(Set.of("node"), now().settings("org.example.declared"));
    }

    @Test
    void other_settings_of_a_heap_that_declares_itself_are_not_known() {
        component("org.example", "org.example.declared", "heap.name", "heap.id");
        component("org.example", "org.example.bare");
        assertTrue(now().has("org.example.declared"));
        assertEquals(Set.of(), now().settings("org.example.declared"));
        assertEquals(Set.of(), now().settings("org.example.bare"));
    }

    @Test
    void a_bundle_of_this_project_reports_unknown_settings_itself() {
        component("org.dmabuf.heap.system", "org.dmabuf.heap.system", "backend");
        assertTrue(now().has("org.dmabuf.heap.system"));
        assertEquals(Set.of(), now().settings("org.dmabuf.heap.system"));
    }

    @Test
    void a_service_that_takes_its_configuration_itself_has_a_name_and_unknown_settings() {
        assertFalse(now().has("org.example.managed"));
        for (Object pid :
                List.of("org.example.managed", new String[] {"org.example.managed"}, List.of("org.example.managed"))) {
            managed = pid;
            assertTrue(now().has("org.example.managed"));
            assertEquals(Set.of(), now().settings("org.example.managed"));
        }
    }
}
