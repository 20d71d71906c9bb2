// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.foreign.Linker;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Test of the packages of this bundle: dependencies between them go one way, and only one package links native code.
 */
class RoomsTest {
    private static final String ROOT = "org.dmabuf.heap.linux.";
    /** The rooms of CONTRIBUTING.md. */
    private static final List<Set<String>> STOREYS = List.of(
            Set.of("component"),
            Set.of("pool", "region", "secret"),
            Set.of("source"),
            Set.of("holder", "adopted", "fence"),
            Set.of("headroom", "socket", "device", "probe"),
            Set.of("machine", "fd", "process"),
            Set.of("kernel"),
            Set.of("daemon"),
            Set.of("seccomp"),
            Set.of("syscall", "text"),
            Set.of("libc"));

    private static final JavaClasses MAIN = new ClassFileImporter().importPath(Path.of("target/classes"));

    @Test
    void there_are_no_cycles_between_packages() {
        slices().matching("org.dmabuf.heap.linux.(*)..")
                .should()
                .beFreeOfCycles()
                .check(MAIN);
    }

    @Test
    void a_package_uses_only_packages_below_it() {
        List<String> upward = new ArrayList<>();
        for (JavaClass type : MAIN) {
            for (Dependency dependency : type.getDirectDependenciesFromSelf()) {
                String from = room(type);
                String to = room(dependency.getTargetClass().getBaseComponentType());
                if (!to.isEmpty() && !to.equals(from) && storey(to) <= storey(from)) {
                    upward.add(dependency.getDescription());
                }
            }
        }
        assertEquals(List.of(), upward);
    }

    /** {@return the number of the line on which a package is listed, from the top} */
    private static int storey(String room) {
        for (int i = 0; i < STOREYS.size(); i++) {
            if (STOREYS.get(i).contains(room)) {
                return i;
            }
        }
        throw new AssertionError("package " + room + " stands on no line; give it one, here and in CONTRIBUTING.md");
    }

    /** {@return the name of the package below {@value #ROOT}, empty for one outside} */
    private static String room(JavaClass type) {
        String name = type.getPackageName();
        return name.startsWith(ROOT) ? name.substring(ROOT.length()) : "";
    }

    @Test
    void native_functions_are_linked_only_in_libc() {
        noClasses()
                .that()
                .resideOutsideOfPackage("org.dmabuf.heap.linux.libc")
                .should()
                .dependOnClassesThat(JavaClass.Predicates.belongTo(JavaClass.Predicates.equivalentTo(Linker.class)))
                .check(MAIN);
    }
}
