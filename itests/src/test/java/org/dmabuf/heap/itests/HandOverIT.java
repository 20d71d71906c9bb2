// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of buffers that pass between the gateway and a foreign program: Python with its standard library. */
public class HandOverIT {
    private static final Path GATEWAY =
            Path.of(System.getProperty("gateway"), "bin", "gateway").normalize();
    private static final String SEALED = "0x16"; // F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE
    private static final String WRITABLE = "0x6";
    private static final String UNSEALED = "0";

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private final List<Process> processes = new ArrayList<>();
    private Path file;
    private String sha256;
    private Path socket;

    @Before
    public void make_a_file() throws Exception {
        byte[] bytes = new byte[(8 << 20) + 4321];
        new Random(7).nextBytes(bytes);
        file = Files.write(folder.newFile("frame.yuv").toPath(), bytes);
        sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        socket = folder.getRoot().toPath().resolve("s");
    }

    @After
    public void end_all_processes() {
        processes.forEach(Process::destroyForcibly);
    }

    @Test
    public void another_process_reads_a_read_only_buffer_also_after_the_gateway_is_gone_and_cannot_harm_it()
            throws Exception {
        Process peer = peer("receive", socket.toString());
        Process gateway = gateway("load --read-only -n frame '" + file + "'", "share frame " + socket, "sum frame");
        BufferedReader says = peer.inputReader();

        String first = says.readLine();
        assertTrue(first, first.contains("\"word\": \"dmaheap\", \"version\": \"1\", \"name\": \"frame\", \"fds\": 1"));
        assertEquals(sha256, value(first, "sha256"));

        String inherited = says.readLine();
        assertEquals(inherited, "EACCES", value(inherited, "map"));
        assertEquals(inherited, "EBADF", value(inherited, "write"));
        for (String attempt : List.of("shrink", "grow", "seal", "punch")) {
            assertNotEquals(inherited, "done", value(inherited, attempt));
        }
        String reopened = says.readLine();
        for (String attempt : List.of("shrink", "grow", "seal", "map", "write", "punch")) {
            assertEquals(attempt + " in " + reopened, "EPERM", value(reopened, attempt));
        }
        assertEquals(sha256, value(says.readLine(), "after"));

        String printed = output(gateway);
        assertTrue(printed, printed.contains("given to              process " + peer.pid() + " of user "));
        assertTrue(printed, printed.contains(sha256 + "  frame"));
        assertFalse("the socket's file is gone", Files.exists(socket));

        tellToGoOn(peer);
        assertEquals("read after the gateway has exited", sha256, value(says.readLine(), "later"));
        assertEquals(0, peer.waitFor());
    }

    @Test
    public void another_process_can_write_a_buffer_that_was_shared_for_writing_and_cannot_remove_its_memory()
            throws Exception {
        Process peer = peer("receive", socket.toString());
        Process gateway = gateway("load -n frame '" + file + "'", "share frame " + socket, "sum frame", "free frame");
        BufferedReader says = peer.inputReader();
        assertEquals(sha256, value(says.readLine(), "sha256"));
        String inherited = says.readLine();
        for (String attempt : List.of("shrink", "grow", "seal")) {
            assertEquals(attempt + " in " + inherited, "EPERM", value(inherited, attempt));
        }
        for (String attempt : List.of("map", "write", "punch")) {
            assertEquals(attempt + " in " + inherited, "done", value(inherited, attempt));
        }
        assertEquals("the exit status of the gateway", 0, gateway.waitFor());
        tellToGoOn(peer);
        assertEquals(0, peer.waitFor());
    }

    @Test
    public void the_gateway_adopts_memory_that_another_process_made_and_sealed() throws Exception {
        Process peer = peer("offer", socket.toString(), SEALED, "theirs");
        String theirs = value(peer.inputReader().readLine(), "sha256");
        String printed = output(gateway("receive " + socket, "sum theirs", "list", "free theirs", "list"));
        assertTrue(printed, printed.contains(theirs + "  theirs"));
        assertTrue(printed, printed.contains("received from         process " + peer.pid()));
        assertEquals(
                printed,
                1,
                printed.lines().filter(line -> line.startsWith("adopted")).count());
    }

    /** A name that looks like an option cannot be passed to any command, so such a buffer could never be freed. */
    @Test
    public void a_buffer_whose_name_cannot_be_typed_gets_a_new_name() throws Exception {
        for (String name : List.of("-x", "a b", "\u202egnp", "\u001b[31mred", "x".repeat(32))) {
            Process peer = peer("offer", socket.toString(), SEALED, name);
            peer.inputReader().readLine();
            String printed = output(gateway("receive " + socket, "dump", "free buf-1", "buffers"));
            assertTrue(printed, printed.startsWith("buffer                buf-1\n"));
            assertTrue(
                    printed,
                    printed.lines().anyMatch(line -> line.matches("adopted +org\\.dmabuf\\.heap\\S+ +buf-1 .*")));
            Files.delete(socket);
        }
    }

    @Test
    public void the_gateway_refuses_memory_that_its_sender_could_shrink_or_punch() throws Exception {
        refuses(UNSEALED, "lacks F_SEAL_SHRINK and could be shrunk");
        refuses(WRITABLE, "lacks F_SEAL_FUTURE_WRITE (or F_SEAL_WRITE), so its sender could punch holes");
    }

    private void refuses(String seals, String sentence) throws Exception {
        Process peer = peer("offer", socket.toString(), seals, "theirs");
        peer.inputReader().readLine();
        Process gateway = gateway("receive " + socket);
        assertTrue(gateway.waitFor(60, TimeUnit.SECONDS));
        assertEquals(1, gateway.exitValue());
        String error = new String(gateway.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(error, error.contains(sentence));
        assertTrue(error, error.contains("fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)"));
        Files.delete(socket);
    }

    /** A process that connected and left does not take the place of another one. */
    @Test
    public void a_peer_that_is_gone_before_it_gets_the_buffer_does_not_end_the_wait() throws Exception {
        Process gone = peer("visit", socket.toString());
        Process gateway = gateway("load -n frame '" + file + "'", "share frame " + socket);
        assertEquals(0, gone.waitFor());
        Process peer = peer("receive", socket.toString());
        assertEquals(sha256, value(peer.inputReader().readLine(), "sha256"));
        tellToGoOn(peer);
        assertTrue(output(gateway).contains("process " + peer.pid()));
    }

    @Test
    public void a_device_or_a_fifo_at_the_path_stays() throws Exception {
        Path fifo = folder.getRoot().toPath().resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        List<Path> files = new ArrayList<>(List.of(fifo));
        Path device = folder.getRoot().toPath().resolve("null");
        if (new ProcessBuilder("mknod", device.toString(), "c", "1", "3")
                        .start()
                        .waitFor()
                == 0) {
            files.add(device);
        }
        for (Path file : files) {
            Process gateway = gateway("alloc -n frame 4096", "share -t 1 frame " + file);
            assertTrue(gateway.waitFor(60, TimeUnit.SECONDS));
            String error = new String(gateway.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(error, error.contains("address already in use; the file exists"));
            assertTrue(Files.exists(file));
        }
        Process gateway = gateway("alloc -n frame 4096", "share -t 1 frame " + folder.getRoot() + "/");
        assertTrue(gateway.waitFor(60, TimeUnit.SECONDS));
        String error = new String(gateway.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(error, error.contains("/': expected the path of a file, at most 107 bytes"));
    }

    @Test
    public void a_missing_peer_is_reported_with_a_sentence() throws Exception {
        Process alone = gateway("load -n frame '" + file + "'", "share -t 1 frame " + socket);
        assertTrue(alone.waitFor(60, TimeUnit.SECONDS));
        String error = new String(alone.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(error, error.contains("line 2: no permitted process connected to " + socket + " within 1 s"));
        assertFalse(Files.exists(socket));

        Process inTheWay = gateway("load -n frame '" + file + "'", "share frame '" + file + "'");
        assertTrue(inTheWay.waitFor(60, TimeUnit.SECONDS));
        error = new String(inTheWay.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(error, error.contains("address already in use; the file exists, or a process listens"));
        assertTrue("the existing file is unchanged", Files.exists(file));

        Process noSender = gateway("receive -t 1 " + socket);
        assertTrue(noSender.waitFor(60, TimeUnit.SECONDS));
        error = new String(noSender.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(error, error.contains("connect to " + socket));
    }

    @Test
    public void a_buffer_that_cannot_be_exported_is_refused_at_once() throws Exception {
        Process gateway = gateway("alloc -n frame --no-export 4096", "share frame " + socket);
        assertTrue(gateway.waitFor(60, TimeUnit.SECONDS));
        String error = new String(gateway.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(error, error.contains("was allocated with --no-export and has no descriptor"));
        assertFalse(Files.exists(socket));
    }

    @Test
    public void a_buffer_is_sent_to_a_process_that_listens_later_and_of_the_user_that_is_named() throws Exception {
        Process gateway = gateway("load -n frame '" + file + "'", "send --to 4711 frame " + socket);
        Process peer = peer("take", socket.toString());
        assertTrue(gateway.waitFor(60, TimeUnit.SECONDS));
        String error = new String(gateway.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(error, error.contains("listens on " + socket + ", but the buffer is for user 4711"));
        assertEquals("no message", peer.inputReader().readLine());

        Process other = gateway("load -n frame '" + file + "'", "send frame " + socket);
        Process taker = peer("take", socket.toString());
        assertEquals(sha256, value(taker.inputReader().readLine(), "sha256"));
        assertTrue(output(other).contains("given to              process " + taker.pid() + " of user "));
    }

    @Test
    public void a_process_of_a_group_that_is_named_gets_the_buffer_and_another_does_not() throws Exception {
        assumeTrue("skipped: root alone can run a process as another user", isRoot());
        Process gateway =
                gateway("load -n frame '" + file + "'", "share -t 10 --to-group 4711 frame " + socket, "sum frame");
        allowIntoFolder();
        Process stranger = as("--reuid=65534", "--regid=65534", "--groups=4712");
        assertEquals("EACCES", stranger.inputReader().readLine());
        Process member = as("--reuid=65534", "--regid=65534", "--groups=4711");
        assertEquals(sha256, value(member.inputReader().readLine(), "sha256"));
        assertTrue(output(gateway).contains("given to              process " + member.pid() + " of user 65534"));
    }

    @Test
    public void a_process_of_a_user_that_is_named_gets_the_buffer_and_another_does_not() throws Exception {
        assumeTrue("skipped: root alone can run a process as another user", isRoot());
        Process gateway = gateway("load -n frame '" + file + "'", "share -t 10 --to 65534 frame " + socket);
        allowIntoFolder();
        Process stranger = as("--reuid=65533", "--regid=65533", "--clear-groups");
        assertEquals("no message", stranger.inputReader().readLine());
        Process named = as("--reuid=65534", "--regid=65534", "--clear-groups");
        assertEquals(sha256, value(named.inputReader().readLine(), "sha256"));
        assertTrue(output(gateway).contains("given to              process " + named.pid() + " of user 65534"));
    }

    private static boolean isRoot() throws IOException {
        return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
    }

    private void allowIntoFolder() throws IOException {
        Files.setPosixFilePermissions(folder.getRoot().toPath(), PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** Starts a process of another user once the socket exists. */
    private Process as(String... identity) throws Exception {
        for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60); !Files.exists(socket); Thread.sleep(10)) {
            assertTrue("the socket does not exist", System.nanoTime() < end);
        }
        Path script = Files.copy(
                Path.of(getClass().getResource("/peer.py").toURI()),
                folder.getRoot().toPath().resolve("peer-" + processes.size() + ".py"));
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rw-r--r--"));
        List<String> command = new ArrayList<>(List.of("setpriv"));
        command.addAll(List.of(identity));
        command.addAll(List.of("/usr/bin/python3", script.toString(), "fetch", socket.toString()));
        return started(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
    }

    /** Runs a gateway with a script until it ends. */
    private Process gateway(String... lines) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(GATEWAY.toString());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Process process = started(builder);
        try (Writer script = process.outputWriter()) {
            script.write(String.join("\n", lines) + "\n");
        }
        return process;
    }

    private Process peer(String... arguments) throws Exception {
        Path script = Path.of(getClass().getResource("/peer.py").toURI());
        List<String> command = new ArrayList<>(List.of("python3", script.toString()));
        command.addAll(List.of(arguments));
        return started(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT));
    }

    private Process started(ProcessBuilder builder) throws IOException {
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private static void tellToGoOn(Process peer) throws IOException {
        try (Writer in = peer.outputWriter()) {
            in.write("go on\n");
        }
    }

    private static String output(Process gateway) throws Exception {
        String text = new String(gateway.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(gateway.waitFor(60, TimeUnit.SECONDS));
        String error = new String(gateway.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(error + text, 0, gateway.exitValue());
        return text;
    }

    private static String value(String json, String key) {
        Matcher matcher = Pattern.compile("\"" + key + "\": \"?([^\",}]*)").matcher(String.valueOf(json));
        assertTrue(key + " in " + json, matcher.find());
        return matcher.group(1);
    }
}
