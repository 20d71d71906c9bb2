// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.foreign.Linker;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The packages of this bundle: arrows between them go one way, and one of them links native code. */
class RoomsTest {
    private static final JavaClasses MAIN = new ClassFileImporter().importPath(Path.of("target/classes"));

    @Test
    void no_packages_depend_on_each_other_in_a_circle() {
        slices().matching("org.dmabuf.heap.linux.(*)..").should().beFreeOfCycles().check(MAIN);
    }

    @Test
    void every_class_is_in_a_room() {
        noClasses().should().resideInAPackage("org.dmabuf.heap.linux").check(MAIN);
    }

    @Test
    void native_functions_are_linked_in_libc_alone() {
        noClasses()
                .that()
                .resideOutsideOfPackage("org.dmabuf.heap.linux.libc")
                .should()
                .dependOnClassesThat(JavaClass.Predicates.belongTo(JavaClass.Predicates.equivalentTo(Linker.class)))
                .check(MAIN);
    }
}
