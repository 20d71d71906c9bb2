// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.libc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Test that musl has each linked function, because a class does not initialize without one. It needs musl. */
class MuslTest {
    private static final Pattern LINK = Pattern.compile("\\blink\\w*\\(\\s*\"(\\w+)\"");

    @Test
    void musl_has_each_function_that_is_linked() throws IOException {
        Optional<Path> library = musl();
        assumeTrue(library.isPresent(), "Debian's package musl is not installed");
        String musl = Files.readString(library.get(), StandardCharsets.ISO_8859_1);
        Set<String> linked = linked();
        assertTrue(linked.contains("memfd_create") && linked.contains("syscall"), linked::toString);
        // Its names end with a zero, and one may be the end of another: open of fopen.
        linked.removeIf(function -> musl.contains(function + "\0"));
        assertEquals(Set.of(), linked);
    }

    /** {@return the loader of musl, which is also its C library} */
    private static Optional<Path> musl() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/lib"))) {
            return files.filter(file -> file.getFileName().toString().matches("ld-musl-.*\\.so\\.1"))
                    .findFirst();
        }
    }

    private static Set<String> linked() throws IOException {
        try (Stream<Path> sources = Files.walk(Path.of("src/main/java"))) {
            return sources.filter(file -> file.toString().endsWith(".java"))
                    .flatMap(MuslTest::links)
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static Stream<String> links(Path source) {
        try {
            return LINK.matcher(Files.readString(source)).results().map(link -> link.group(1));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
