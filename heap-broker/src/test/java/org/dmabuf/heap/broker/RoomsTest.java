// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Test of the packages of this bundle: dependencies between them go one way, and the component is above all. */
class RoomsTest {
    private static final String ROOT = "org.dmabuf.heap.broker";
    /** The rooms of CONTRIBUTING.md; the component is above them. */
    private static final List<String> STOREYS =
            List.of("", ".service", ".allocation", ".buffer", ".heap", ".account", ".release .event");

    private static final JavaClasses MAIN = new ClassFileImporter().importPath(Path.of("target/classes"));

    @Test
    void there_are_no_cycles_between_packages() {
        slices().matching("org.dmabuf.heap.broker.(*)..")
                .should()
                .beFreeOfCycles()
                .check(MAIN);
    }

    @Test
    void a_package_uses_only_packages_below_it() {
        List<String> upward = new ArrayList<>();
        for (JavaClass type : MAIN) {
            for (Dependency dependency : type.getDirectDependenciesFromSelf()) {
                String from = type.getPackageName();
                String to = dependency.getTargetClass().getBaseComponentType().getPackageName();
                boolean ours = to.equals(ROOT) || to.startsWith(ROOT + ".");
                if (ours && !to.equals(from) && storey(to) <= storey(from)) {
                    upward.add(dependency.getDescription());
                }
            }
        }
        assertEquals(List.of(), upward);
    }

    /** {@return the number of the line on which a package is listed, from the top} */
    private static int storey(String name) {
        String room = name.substring(ROOT.length());
        for (int i = 0; i < STOREYS.size(); i++) {
            if (List.of(STOREYS.get(i).split(" ")).contains(room)) {
                return i;
            }
        }
        throw new AssertionError("package " + name + " stands on no line; give it one, here and in CONTRIBUTING.md");
    }
}
