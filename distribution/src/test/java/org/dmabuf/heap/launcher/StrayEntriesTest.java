// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StrayEntriesTest {
    @TempDir
    private Path deploy;

    private final List<String> reported = new ArrayList<>();
    private final StrayEntries strays = new StrayEntries(new Reports(reported::add));

    private List<String> see() throws IOException {
        reported.clear();
        try (Stream<Path> entries = Files.list(deploy)) {
            strays.see(entries.collect(Collectors.toCollection(HashSet::new)));
        }
        return List.copyOf(reported);
    }

    @Test
    void a_jar_with_another_ending_is_reported_once() throws IOException {
        Files.createFile(deploy.resolve("HEAP.JAR"));
        assertEquals(List.of("HEAP.JAR does not run, since its name does not end in .jar; rename it"), see());
        assertEquals(List.of(), see());
    }

    @Test
    void a_link_without_a_target_is_reported_with_it_and_again_when_it_is_made_again() throws IOException {
        Path link = Files.createSymbolicLink(deploy.resolve("heap.jar"), Path.of("/no/such/heap.jar"));
        String line =
                "heap.jar does not run, since its link to /no/such/heap.jar leads to no file; correct the link, or"
                        + " remove it";
        assertEquals(List.of(line), see());
        assertEquals(List.of(), see());
        Files.delete(link);
        assertEquals(List.of(), see());
        Files.createSymbolicLink(link, Path.of("/no/such/heap.jar"));
        assertEquals(List.of(line), see());
    }

    @Test
    void a_link_to_itself_is_reported() throws IOException {
        Files.createSymbolicLink(deploy.resolve("loop.jar"), Path.of("loop.jar"));
        assertEquals(
                List.of("loop.jar does not run, since its link to loop.jar leads to no file; correct the link, or"
                        + " remove it"),
                see());
    }

    @Test
    void a_folder_is_reported_when_it_gets_a_jar() throws IOException {
        Path folder = Files.createDirectory(deploy.resolve("vendor"));
        Files.createFile(folder.resolve("notes.txt"));
        assertEquals(List.of(), see());
        Files.createFile(folder.resolve("heap.Jar"));
        assertEquals(List.of("vendor is a folder, and its jars do not run; move them to the folder above"), see());
        Files.createFile(folder.resolve("other.jar"));
        assertEquals(List.of(), see());
    }

    @Test
    void other_files_and_jars_are_not_reported() throws IOException {
        Files.createFile(deploy.resolve("notes.txt"));
        Files.createFile(deploy.resolve("heap.jar.part"));
        Path jar = Files.createFile(deploy.resolve("heap.jar"));
        Files.createSymbolicLink(deploy.resolve("link.jar"), jar);
        assertEquals(List.of(), see());
        strays.see(Set.of(deploy.resolve("removed.jar")));
        assertEquals(List.of(), reported);
    }
}
