// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the command {@code contract/keep}, on a copy of its files and with a fake Maven. */
class KeepTest {
    private static final List<String> BUILT = List.of(
            "heap-api/target/heap-api-7.jar",
            "heap-linux/target/heap-linux-7.jar",
            "heap-testing/target/heap-testing-7.jar",
            "contract/vendor/target/contract-vendor-7.jar",
            "contract/client/target/contract-client-7.jar");

    @TempDir
    Path root;

    @BeforeEach
    void a_tree_with_a_build_that_works() throws IOException {
        Files.createDirectories(root.resolve("contract"));
        Files.copy(Path.of("keep"), root.resolve("contract/keep"));
        Files.writeString(root.resolve("pom.xml"), "<project>\n  <version>7</version>\n</project>\n");
        for (String jar : BUILT) {
            Files.createDirectories(root.resolve(jar).getParent());
        }
        maven("first");
    }

    @Test
    void the_jars_of_a_release_are_kept() throws Exception {
        assertEquals("kept in contract/kept/1.0; commit it", keep(0, "1.0"));
        assertEquals(List.of("client.jar", "heap-api.jar", "heap-linux.jar", "heap-testing.jar", "vendor.jar"), kept());
        assertEquals("first", content());
    }

    @Test
    void what_is_kept_is_replaced_only_when_that_is_asked_for() throws Exception {
        keep(0, "1.0");
        maven("second");
        String refusal = keep(1, "1.0");
        assertTrue(refusal.contains("kept already") && refusal.contains("contract/keep --again 1.0"), refusal);
        assertEquals("first", content());
        keep(0, "--again", "1.0");
        assertEquals("second", content());
    }

    @Test
    void a_build_that_fails_leaves_what_is_kept() throws Exception {
        keep(0, "1.0");
        Files.writeString(root.resolve("mvn"), "#!/bin/sh\nexit 9\n");
        keep(9, "--again", "1.0");
        assertEquals("first", content());
    }

    @Test
    void a_release_is_a_version() throws Exception {
        for (String wrong : List.of("", "..", "next", "1.0/..", "1.")) {
            assertEquals("usage: contract/keep [--again] MAJOR.MINOR", keep(1, wrong));
        }
    }

    private void maven(String content) throws IOException {
        StringBuilder script = new StringBuilder("#!/bin/sh\nset -e\n");
        BUILT.forEach(jar -> script.append("printf ")
                .append(content)
                .append(" >")
                .append(jar)
                .append('\n'));
        Path maven = Files.writeString(root.resolve("mvn"), script);
        assertTrue(maven.toFile().setExecutable(true));
    }

    private String keep(int status, String... arguments) throws Exception {
        ProcessBuilder builder =
                new ProcessBuilder(Stream.concat(Stream.of("sh", "contract/keep"), Stream.of(arguments))
                        .toList());
        builder.directory(root.toFile()).redirectErrorStream(true);
        builder.environment().put("PATH", root + ":" + System.getenv("PATH"));
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertEquals(status, process.waitFor(), output);
        return output;
    }

    private List<String> kept() throws IOException {
        try (Stream<Path> files = Files.list(root.resolve("contract/kept/1.0"))) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private String content() throws IOException {
        return Files.readString(root.resolve("contract/kept/1.0/vendor.jar"));
    }
}
