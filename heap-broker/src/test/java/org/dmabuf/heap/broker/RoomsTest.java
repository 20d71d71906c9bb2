// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The packages of this bundle: arrows between them go one way, and the component is above them all. */
class RoomsTest {
    private static final JavaClasses MAIN = new ClassFileImporter().importPath(Path.of("target/classes"));

    @Test
    void no_packages_depend_on_each_other_in_a_circle() {
        slices().matching("org.dmabuf.heap.broker.(*)..").should().beFreeOfCycles().check(MAIN);
    }

    @Test
    void no_package_knows_the_component_that_assembles_them() {
        noClasses()
                .that()
                .resideInAPackage("org.dmabuf.heap.broker.*")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.dmabuf.heap.broker")
                .check(MAIN);
    }
}
