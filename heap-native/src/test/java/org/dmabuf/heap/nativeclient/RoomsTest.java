// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Test of the packages of this bundle: a program outside the framework can use the protocol. */
class RoomsTest {
    @Test
    void the_protocol_needs_only_java_and_the_error_numbers() {
        classes()
                .that()
                .resideInAPackage("org.dmabuf.heap.nativeclient.protocol")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "org.dmabuf.heap", "org.dmabuf.heap.nativeclient.protocol")
                .check(new ClassFileImporter().importPath(Path.of("target/classes")));
    }
}
