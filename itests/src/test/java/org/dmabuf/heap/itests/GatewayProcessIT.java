// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the gateway as a process: its output and its exit status. */
public class GatewayProcessIT {
    private static final Path HOME = Path.of(System.getProperty("gateway")).normalize();

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private record Result(int exit, String out, String err) {}

    @Test
    public void load_prints_the_checksum_of_a_real_file_through_mapping_and_descriptor() throws Exception {
        byte[] bytes = new byte[(8 << 20) + 4321];
        new Random(42).nextBytes(bytes);
        Path file = Files.write(folder.newFile("frame with a blank.yuv").toPath(), bytes);
        String sha256 =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));

        Result result = gateway("dmaheap:load '" + file + "'");

        assertEquals(result.toString(), 0, result.exit());
        assertTrue(result.out(), result.out().contains(sha256 + "  (through the mapping)"));
        assertTrue(result.out(), result.out().contains(sha256 + "  (through an exported descriptor)"));
        assertTrue(result.out(), result.out().contains("8396800 bytes")); // in whole pages
        assertTrue(result.out(), result.out().contains("not a dma-buf"));
        assertEquals("", result.err());
    }

    @Test
    public void list_shows_the_system_heap() throws Exception {
        Result result = gateway("dmaheap:list");
        assertEquals(result.toString(), 0, result.exit());
        assertTrue(
                result.out(),
                result.out().lines().anyMatch(line -> line.matches("system +system +memfd +no +serving .*")));
    }

    @Test
    public void results_go_through_pipes() throws Exception {
        Result result = gateway("dmaheap:list | grep system");
        assertEquals(result.toString(), 0, result.exit());
        assertEquals(result.out(), 1, result.out().strip().lines().count());
    }

    @Test
    public void a_table_can_be_redirected_and_of_two_commands_both_are_printed() throws Exception {
        Path file = folder.getRoot().toPath().resolve("heaps");
        Result result = gateway("dmaheap:list > '" + file + "'; dmaheap:usage; dmaheap:dump");
        assertEquals(result.toString(), 0, result.exit());
        assertTrue(Files.readString(file).startsWith("NAME "));
        assertTrue(result.out(), result.out().startsWith("HEAP "));
        assertTrue(result.out(), result.out().contains("\nHEAP "));
        assertFalse(result.out(), result.out().contains("DMA-BUF"));
    }

    @Test
    public void a_fresh_gateway_lists_the_reasons_for_plain_refusals_in_80_columns_and_in_json() throws Exception {
        Result result = gateway("dmaheap:list; dmaheap:list --json");
        assertEquals(result.toString(), 0, result.exit());
        String json = result.out().substring(result.out().indexOf("[\n"));
        List<String> table =
                result.out().substring(0, result.out().indexOf("[\n")).lines().toList();
        assertTrue(result.out(), table.stream().allMatch(line -> line.length() <= 80));
        assertTrue(
                result.out(),
                table.contains("cma: it serves only requests that permit emulation: --emulated contiguous"));
        assertTrue(result.out(), table.stream().anyMatch(line -> line.matches("carveout +carveout .* serving .*")));
        assertTrue(json, json.lines().anyMatch(line -> line.startsWith("{\"name\":\"cma\",\"state\":\"serving\"")));
    }

    @Test
    public void a_pattern_that_matches_no_file_is_passed_to_the_command() throws Exception {
        Result result = gateway("dmaheap:free z*");
        assertEquals(result.toString(), 1, result.exit());
        assertTrue(result.err(), result.err().contains("z*") && !result.err().contains("no matches found"));
    }

    @Test
    public void info_shows_that_a_memfd_is_not_a_dma_buf() throws Exception {
        Result result = gateway("dmaheap:info system");
        assertEquals(result.toString(), 0, result.exit());
        assertTrue(result.out(), result.out().contains("devices cannot use it"));
        assertTrue(result.out(), result.out().contains("heap.export.readonly"));
    }

    @Test
    public void wrong_arguments_are_refused_with_a_sentence_and_an_exit_code() throws Exception {
        for (String[] wrong : new String[][] {
            {"dmaheap:load /no/such/file", "file /no/such/file does not exist"},
            {"dmaheap:load /proc", "/proc is not a regular file"},
            {"dmaheap:load", "usage: dmaheap:load [options] FILE"},
            {"dmaheap:info nosuch", "unknown heap 'nosuch': expected one of system"},
            {"dmaheap:alloc -h cma 4K", "it only emulates contiguous; accept that with --emulated contiguous"},
            {"dmaheap:alloc x", "'x' is not a size"},
            {"dmaheap:alloc 0", "invalid size = 0: expected 1 to "},
            {"dmaheap:alloc 100T", "100 TiB does not fit"},
            {"dmaheap:alloc -h nosuch 4K", "there is no such heap; serving heaps: system"},
            {"dmaheap:alloc -r '(heap.dmabuf=true)' 4K", "it does not meet (heap.dmabuf=true)"},
            {"dmaheap:alloc --colour 4K", "unknown option --colour: expected one of --heap, --mask"},
            {"dmaheap:alloc", "usage: dmaheap:alloc [options] SIZE (see: dmaheap:alloc --help)"},
            {"dmaheap:alloc -n a -n b 4K", "option --name occurs twice; give it once"},
            {"dmaheap:list --colour", "unknown option --colour: expected one of --wide, --json"},
            {"dmaheap:list all", "invalid arguments 'all'; usage: dmaheap:list [options]"},
            {"dmaheap:map secure", "no heap 'secure' has a region to draw; expected one of "},
            {"dmaheap:free nosuch", "unknown buffer 'nosuch'"},
            {"dmaheap:free 'z*'", "no buffer matches 'z*': the shell holds no buffers"},
            {"dmaheap:share --to nosuch x /tmp/x", "unknown user 'nosuch': it is not in /etc/passwd"},
            {"nosuch:command", "nosuch:command"},
        }) {
            Result result = gateway(wrong[0]);
            assertNotEquals(wrong[0], 0, result.exit());
            assertTrue(wrong[0] + " said: " + result.err(), result.err().contains(wrong[1]));
            assertEquals(
                    wrong[0] + " said: " + result.err(),
                    1,
                    result.err().strip().lines().count());
        }
    }

    @Test
    public void buffers_are_allocated_listed_and_freed_in_one_session() throws Exception {
        Path buffers = folder.getRoot().toPath().resolve("buffers");
        Result result = gateway("x = (dmaheap:alloc -n one --read-only 64K); dmaheap:alloc --no-export 4K;"
                + " dmaheap:buffers > " + buffers + "; dmaheap:free one buf-1; dmaheap:list");
        assertEquals(result.toString(), 0, result.exit());
        assertTrue(read(buffers), read(buffers).matches("NAME .*\nbuf-1 .*\none  .*\n"));
        assertTrue("each command prints: " + result.out(), result.out().startsWith("buffer                buf-1\n"));
        assertTrue(result.out(), result.out().lines().anyMatch(line -> line.matches("system .* 0 bytes +0 bytes")));
    }

    @Test
    public void the_content_of_a_buffer_is_filled_shown_and_saved() throws Exception {
        Path file = folder.getRoot().toPath().resolve("saved");
        Result result = gateway("dmaheap:alloc -n one 4K > /dev/null; dmaheap:fill one 0x41;"
                + " dmaheap:hexdump one -l 16; dmaheap:save one " + file);
        assertEquals(result.toString(), 0, result.exit());
        assertEquals(
                "00000000  41 41 41 41 41 41 41 41  41 41 41 41 41 41 41 41  |AAAAAAAAAAAAAAAA|\n00000010\n",
                result.out());
        assertEquals("A".repeat(4096), read(file));
    }

    @Test
    public void exit_sets_the_status_of_a_command_and_of_a_script() throws Exception {
        assertEquals(3, gateway("exit 3").exit());
        assertEquals(0, gateway("exit").exit());
        Result invalid = gateway("exit x");
        assertEquals(1, invalid.exit());
        assertEquals("invalid exit status = x: expected one number, 0 to 255\n", invalid.err());
        Process script = start(new ArrayList<>());
        script.getOutputStream().write("exit 4\nnosuch\n".getBytes(StandardCharsets.UTF_8));
        script.getOutputStream().close();
        assertTrue(script.waitFor(120, TimeUnit.SECONDS));
        assertEquals(4, script.exitValue());
    }

    @Test
    public void a_gateway_that_does_not_stay_opens_no_socket() throws Exception {
        Path socket = folder.getRoot().toPath().resolve("control");
        Process process = start(new ArrayList<>(List.of("--socket", socket.toString(), "dmaheap:list")));
        process.getOutputStream().close();
        assertTrue(process.waitFor(120, TimeUnit.SECONDS));
        assertEquals(2, process.exitValue());
        assertFalse(Files.exists(socket));
    }

    @Test
    public void the_version_is_that_of_the_distribution_and_of_java() throws Exception {
        Result result = gateway("--version");
        assertEquals(result.toString(), 0, result.exit());
        assertTrue(
                result.out(),
                result.out().matches("gateway [0-9].*, Java " + System.getProperty("java.version") + "\n"));
    }

    @Test
    public void the_shell_opens_with_a_prompt_and_ends_without_output() throws Exception {
        for (String[] leave : new String[][] {{"exit 3\\r", "3"}, {"\\x04", "0"}}) {
            Path script = folder.newFile().toPath();
            try (InputStream resource = GatewayProcessIT.class.getResourceAsStream("terminal.py")) {
                Files.write(script, resource.readAllBytes());
            }
            Path out = folder.newFile().toPath();
            ProcessBuilder builder = builder(new ArrayList<>());
            builder.command().addAll(0, List.of("python3", script.toString(), "[('gateway>', '" + leave[0] + "')]"));
            Process shell = builder.redirectErrorStream(true)
                    .redirectOutput(out.toFile())
                    .start();
            assertTrue(shell.waitFor(120, TimeUnit.SECONDS));
            String text = read(out);
            assertEquals(text, Integer.parseInt(leave[1]), shell.exitValue());
            assertFalse(text, text.contains("INFO"));
            assertFalse(text, text.contains("gosh"));
            assertFalse(text, text.contains("\tat "));
        }
    }

    @Test
    public void the_next_gateway_removes_all_files_that_a_killed_one_left() throws Exception {
        Process killed = start(new ArrayList<>());
        killed.getOutputStream().write('\n');
        long bundlesStarted = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
        while (caches().isEmpty() && System.nanoTime() < bundlesStarted) {
            Thread.sleep(20); // waits until it has created its folder
        }
        killed.destroyForcibly().waitFor();
        assertNotEquals("the killed gateway had no cache folder", List.of(), caches());
        gateway("dmaheap:list");
        assertEquals(List.of(), caches());
    }

    private static List<Path> caches() throws IOException {
        Path cache = HOME.resolve("cache");
        if (!Files.isDirectory(cache)) {
            return List.of();
        }
        try (Stream<Path> folders = Files.list(cache)) {
            return folders.toList();
        }
    }

    private Result gateway(String command) throws Exception {
        Path out = folder.newFile().toPath();
        Path err = folder.newFile().toPath();
        List<String> arguments = new ArrayList<>(List.of(command));
        Process process = builder(arguments)
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        process.getOutputStream().close();
        assertTrue(command + " hangs", process.waitFor(120, TimeUnit.SECONDS));
        return new Result(process.exitValue(), read(out), read(err));
    }

    private static Process start(List<String> arguments) throws IOException {
        return builder(arguments)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    private static ProcessBuilder builder(List<String> arguments) {
        arguments.addFirst(HOME.resolve("bin/gateway").toString());
        ProcessBuilder builder = new ProcessBuilder(arguments);
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        return builder;
    }

    private static String read(Path file) throws IOException {
        return Files.readString(file, StandardCharsets.UTF_8);
    }
}
