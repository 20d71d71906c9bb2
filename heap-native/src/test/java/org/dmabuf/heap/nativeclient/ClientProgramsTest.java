// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.broker.Await;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of the clients in Python and C, as programs of their own. */
class ClientProgramsTest extends ServedTest {
    private static final Path CLIENTS = Path.of("..", "clients").toAbsolutePath();

    /** The two clients, which print the same lines. */
    enum Language {
        PYTHON {
            @Override
            List<String> command(Path folder) {
                return List.of(
                        "python3", "-B", Path.of("src/test/resources/client.py").toString());
            }
        },
        C {
            @Override
            List<String> command(Path folder) throws Exception {
                assumeTrue(Files.isExecutable(Path.of("/usr/bin/cc")), "a C compiler is needed");
                Path program = folder.resolve("client");
                Process cc = new ProcessBuilder(
                                "cc",
                                "-std=c99",
                                "-pedantic",
                                "-Wall",
                                "-Wextra",
                                "-Werror",
                                "-I" + CLIENTS.resolve("c"),
                                "-o",
                                program.toString(),
                                "src/test/c/client.c")
                        .inheritIO()
                        .start();
                assertEquals(0, cc.waitFor());
                return List.of(program.toString());
            }
        };

        abstract List<String> command(Path folder) throws Exception;
    }

    private Process start(Language language, String... words) throws Exception {
        List<String> command = new ArrayList<>(language.command(folder));
        command.add(path.toString());
        command.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("PYTHONPATH", CLIENTS.resolve("python").toString());
        return builder.start();
    }

    private List<String> lines(Language language, String... words) throws Exception {
        Process program = start(language, words);
        program.getOutputStream().close();
        List<String> lines = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        assertTrue(program.waitFor(20, TimeUnit.SECONDS));
        return lines;
    }

    @ParameterizedTest
    @EnumSource
    void a_program_holds_memory_until_it_ends(Language language) throws Exception {
        Process program = start(language, "allocate", "10000", "system");
        try (BufferedReader out = program.inputReader()) {
            assertEquals("12288 memfd system 0", out.readLine());
            assertEquals(
                    "frame@" + program.pid(),
                    broker.monitor().buffers().getFirst().name().orElseThrow());
        } finally {
            program.destroyForcibly().waitFor();
        }
        Await.until(
                "a killed program holds nothing",
                () -> broker.monitor().buffers().isEmpty());
    }

    @ParameterizedTest
    @EnumSource
    void a_refusal_is_printed_with_its_number_and_sentence(Language language) throws Exception {
        assertEquals(
                List.of("-13 heap 'camera': client " + user + " may not use it; to permit it, add camera=" + user
                        + " to allow in org.dmabuf.heap.native"),
                lines(language, "allocate", "4096", "camera"));
        assertTrue(lines(language, "open", "frame").getFirst().startsWith("-13 "));
    }

    @ParameterizedTest
    @EnumSource
    void the_lists_and_the_usage_are_printed(Language language) throws Exception {
        published.put("frame", broker.allocate(AllocationRequest.of(4096).withExport(ExportMode.READ_ONLY)));
        apply(Map.of("allow", "*=" + user, "published", "frame=" + user));
        rules(new String[] {user + "=1M"}, "org.dmabuf.heap.native");
        assertEquals(List.of(user), lines(language, "identity"));
        assertEquals(1, lines(language, "heaps").size());
        assertTrue(lines(language, "heaps").getFirst().startsWith("system "));
        assertEquals(List.of("frame 4096 system"), lines(language, "published"));
        assertEquals(List.of("0 0 1048576"), lines(language, "usage"));
        assertEquals(List.of("4096 memfd system 0"), lines(language, "open", "frame"));
    }

    @Test
    void a_list_of_many_buffers_comes_in_parts() throws Exception {
        published.put("x", broker.allocate(4096));
        for (int i = 0; i < 500; i++) {
            published.put("a-buffer-with-a-long-name-" + i, published.get("x").newReference());
        }
        apply(Map.of("published", "*=*"));
        List<String> lines = lines(Language.PYTHON, "published");
        assertEquals(501, lines.size());
        assertEquals(501, lines.stream().distinct().count());
    }
}
