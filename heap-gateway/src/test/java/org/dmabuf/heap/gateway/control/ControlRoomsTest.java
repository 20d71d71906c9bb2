// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Test of the packages of the control socket: dependencies go one way, and the launcher's part needs only the JDK. */
class ControlRoomsTest {
    private static final String ROOT = "org.dmabuf.heap.gateway.control";
    private static final String CLIENT = ROOT + ".client";
    private static final String WIRE = ROOT + ".wire";

    private static final JavaClasses MAIN = new ClassFileImporter().importPath(Path.of("target/classes"));

    @Test
    void the_launchers_part_needs_the_jdk_alone() {
        assertEquals(List.of(), foreign(CLIENT, List.of(CLIENT, WIRE)));
        assertEquals(List.of(), foreign(WIRE, List.of(WIRE)));
    }

    private static List<String> foreign(String from, List<String> allowed) {
        return MAIN.stream()
                .filter(type -> type.getPackageName().equals(from))
                .map(JavaClass::getDirectDependenciesFromSelf)
                .flatMap(dependencies -> dependencies.stream()
                        .filter(dependency -> !isAllowed(dependency, allowed))
                        .map(Dependency::getDescription))
                .toList();
    }

    private static boolean isAllowed(Dependency dependency, List<String> allowed) {
        String to = dependency.getTargetClass().getBaseComponentType().getPackageName();
        return to.isEmpty() || to.matches("(java|jdk)\\..*") || allowed.contains(to);
    }
}
