// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.libc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Test that musl has each linked function, because a class does not initialize without one. It needs musl. */
class MuslTest {
    /** Type of a section with symbols (SHT_DYNSYM). */
    private static final int DYNAMIC_SYMBOLS = 11;

    private static final Pattern LINK = Pattern.compile("\\blink\\w*\\(\\s*\"(\\w+)\"");

    @Test
    void musl_has_each_function_that_is_linked() throws IOException {
        Optional<Path> library = musl();
        String missing = "Debian's package musl is not installed";
        assertTrue(library.isPresent() || !"true".equals(System.getenv("CI")), missing);
        assumeTrue(library.isPresent(), "skipped: " + missing);
        Set<String> linked = linked();
        assertTrue(linked.contains("memfd_create") && linked.contains("syscall"), linked::toString);
        Set<String> defined = defined(library.get());
        assertFalse(defined.contains("pen")); // the end of open
        linked.removeAll(defined);
        assertEquals(Set.of(), linked);
    }

    /** {@return the names of the dynamic symbols that a library of a 64-bit little-endian machine defines} */
    private static Set<String> defined(Path library) throws IOException {
        ByteBuffer elf = ByteBuffer.wrap(Files.readAllBytes(library)).order(ByteOrder.LITTLE_ENDIAN);
        int sections = (int) elf.getLong(40);
        int sectionSize = elf.getShort(58);
        int end = sections + sectionSize * elf.getShort(60);
        Set<String> names = new HashSet<>();
        for (int section = sections; section < end; section += sectionSize) {
            if (elf.getInt(section + 4) == DYNAMIC_SYMBOLS) {
                int first = (int) elf.getLong(section + 24);
                int last = first + (int) elf.getLong(section + 32);
                int strings = (int) elf.getLong(sections + sectionSize * elf.getInt(section + 40) + 24);
                for (int symbol = first; symbol < last; symbol += 24) {
                    if (elf.getShort(symbol + 6) != 0) { // its section; 0 for a symbol of another library
                        names.add(string(elf, strings + elf.getInt(symbol)));
                    }
                }
            }
        }
        return names;
    }

    private static String string(ByteBuffer elf, int from) {
        int end = from;
        while (elf.get(end) != 0) {
            end++;
        }
        return new String(elf.array(), from, end - from, StandardCharsets.ISO_8859_1);
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
