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
    void what_a_client_sees_knows_nothing_of_what_a_vendor_implements() {
        noClasses()
                .that()
                .resideInAPackage("org.dmabuf.heap")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.dmabuf.heap.spi")
                .check(new ClassFileImporter().importPath(Path.of("target/classes")));
    }
}
