// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * Test of the dependencies between the packages: the vendor's package uses the client's, and not the other way round.
 */
class RoomsTest {
    @Test
    void the_clients_package_does_not_use_the_vendors() {
        noClasses()
                .that()
                .resideInAPackage("org.dmabuf.heap")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.dmabuf.heap.spi")
                .check(new ClassFileImporter().importPath(Path.of("target/classes")));
    }

    /** Constants are not seen here: the names of the properties are in the client's package. */
    @Test
    void the_constraints_use_neither() {
        noClasses()
                .that()
                .resideInAPackage("org.dmabuf.heap.constraint")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.dmabuf.heap", "org.dmabuf.heap.spi")
                .check(new ClassFileImporter().importPath(Path.of("target/classes")));
    }
}
