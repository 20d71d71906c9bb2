// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Pattern;
import org.junit.After;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.ClassRule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of processes that inspect a running gateway through its control socket. */
public class ControlIT {
    @ClassRule
    public static final TemporaryFolder FOLDER = new TemporaryFolder();

    private static final long SECONDS = 120;

    private static UnpackedGateway gateway;
    private static Path socket;

    private final List<Process> clients = new ArrayList<>();

    private record Result(int exit, String out, String err) {}

    @BeforeClass
    public static void startGateway() throws Exception {
        Path unpacked = FOLDER.newFolder().toPath();
        for (Path readable : List.of(FOLDER.getRoot().toPath(), unpacked)) {
            Files.setPosixFilePermissions(readable, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        gateway = UnpackedGateway.in(unpacked);
        socket = FOLDER.getRoot().toPath().resolve("run").resolve("control");
        Files.createDirectory(socket.getParent());
        assertEquals(3, new ControlIT().run("status").exit()); // before a gateway runs
        gateway.startDaemon("--socket", socket.toString());
        gateway.awaitLogLine("the gateway is up");
    }

    @AfterClass
    public static void stopGateway() throws Exception {
        assertEquals(143, gateway.terminate());
        gateway.close();
        assertFalse("the socket is left", Files.exists(socket));
    }

    @After
    public void endClients() throws InterruptedException {
        for (Process client : clients) {
            client.destroyForcibly().waitFor();
        }
    }

    @Test
    public void status_is_0_while_all_is_well_and_lists_heaps() throws Exception {
        Result text = run("status");
        assertEquals(text.toString(), 0, text.exit());
        assertTrue(text.out(), text.out().lines().anyMatch(line -> line.matches("system +serving .*")));
        assertTrue(text.out(), text.out().lines().allMatch(line -> line.length() <= 80));
        Result json = run("status", "--json");
        assertEquals(json.toString(), 0, json.exit());
        assertTrue(json.out(), json.out().contains("\"well\":true"));
        assertTrue(json.out(), json.out().contains("{\"name\":\"system\",\"state\":\"serving\",\"wrong\":false"));
    }

    @Test
    public void status_is_1_while_a_bundle_does_not_run_and_shows_the_reason() throws Exception {
        Path jar = gateway.dropped("lacking.jar");
        write(jar, "org.example.lacking", "org.example.nowhere");
        Result wrong = runUntil(1, "status");
        assertTrue(wrong.out(), wrong.out().contains("org.example.lacking: it lacks "));
        assertTrue(wrong.out(), wrong.out().contains("org.example.nowhere"));
        Files.delete(jar);
        runUntil(0, "status");
    }

    @Test
    public void a_command_runs_in_the_gateway_with_its_own_outputs_and_status() throws Exception {
        Result list = run("--attach", "dmaheap:list");
        assertEquals(list.toString(), 0, list.exit());
        assertTrue(list.out(), list.out().contains("system"));
        assertEquals("", list.err());
        Result failed = run("--attach", "echo before; nosuch");
        assertEquals(failed.toString(), 1, failed.exit());
        assertEquals("before\n", failed.out());
        assertEquals("unknown command 'nosuch'; try 'help'\n", failed.err());
        assertEquals(3, run("--attach", "exit", "3").exit());
        Result invalid = run("--attach", "exit x");
        assertEquals(1, invalid.exit());
        assertEquals("invalid exit status = x: expected one number, 0 to 255\n", invalid.err());
        assertEquals(0, run("status").exit());
    }

    @Test
    public void a_command_reads_the_clients_input() throws Exception {
        Path input = Files.writeString(FOLDER.newFile().toPath(), "line\n".repeat(40_000));
        Path out = FOLDER.newFile().toPath();
        Process client =
                start(builder("--attach", "cat -").redirectInput(input.toFile()).redirectOutput(out.toFile()));
        assertTrue(client.waitFor(SECONDS, TimeUnit.SECONDS));
        assertEquals(0, client.exitValue());
        assertEquals(-1, Files.mismatch(input, out));
    }

    @Test
    public void a_script_on_standard_input_runs_line_by_line() throws Exception {
        Path script = Files.writeString(FOLDER.newFile().toPath(), "echo one\necho two\nexit 4\necho three\n");
        Path out = FOLDER.newFile().toPath();
        Process client =
                start(builder("--attach").redirectInput(script.toFile()).redirectOutput(out.toFile()));
        assertTrue(client.waitFor(SECONDS, TimeUnit.SECONDS));
        assertEquals(4, client.exitValue());
        assertEquals("one\ntwo\n", Files.readString(out));
    }

    @Test
    public void a_standard_input_that_is_closed_is_empty() throws Exception {
        ProcessBuilder client = builder("--attach", "cat -");
        client.command().addAll(0, List.of("sh", "-c", "exec \"$@\" <&-", "sh"));
        assertEquals(new Result(0, "", ""), result(client));
    }

    @Test
    public void a_shell_on_a_terminal_edits_completes_and_leaves_the_gateway_running() throws Exception {
        Result shell = onTerminal("[('gateway>', 'echo one\\x7f\\x7f\\x7ftwo\\r'), ('two\\r\\n', 'dmaheap:li\\t\\r'),"
                + " ('serving', 'exit 5\\r')]");
        assertEquals(shell.toString(), 5, shell.exit());
        assertFalse(shell.out(), shell.out().contains("gosh"));
        assertEquals(0, onTerminal("[('gateway>', '\\x04')]").exit());
        assertEquals(
                6,
                onTerminal("[('gateway>', 'sh\\r'), ('gateway>', 'exit 6\\r')]").exit());
        assertEquals(0, run("status").exit());
    }

    @Test
    public void ctrl_c_interrupts_the_command_and_not_the_shell() throws Exception {
        Result shell = onTerminal("[('gateway>', 'echo sleeps; sleep 600\\r'), ('sleeps\\r\\n', '\\x03'),"
                + " ('gateway>', 'exit 7\\r')]");
        assertEquals(shell.toString(), 7, shell.exit());
    }

    @Test
    public void ctrl_backslash_leaves_the_session_whatever_command_runs() throws Exception {
        Result shell = onTerminal("[('gateway>', 'echo sleeps; sleep 600\\r'), ('sleeps\\r\\n', '\\x1c')]");
        assertEquals(shell.toString(), 131, shell.exit());
        awaitStatus("sessions: none\n");
    }

    @Test
    public void status_answers_while_commands_hang_and_a_killed_client_frees_its_session() throws Exception {
        Process first = start(builder("--attach", "sleep 600"));
        Process second = start(builder("--attach", "sleep 600"));
        awaitStatus("sessions: 2\n");
        first.destroyForcibly().waitFor();
        awaitStatus("sessions: 1\n");
        second.destroyForcibly().waitFor();
        awaitStatus("sessions: none\n");
    }

    @Test
    public void a_killed_client_leaves_no_buffer() throws Exception {
        Process client = start(builder("--attach", "dmaheap:alloc -n held 64K; sleep 600"));
        awaitBuffers(".*held .*");
        client.destroyForcibly().waitFor();
        awaitBuffers("(?!.*held).*");
        awaitStatus("sessions: none\n");
        assertFalse(run("--attach", "dmaheap:dump").out().contains("held"));
    }

    @Test
    public void a_session_that_is_left_leaves_no_buffer_of_a_shell_within_it_either() throws Exception {
        Result left = onTerminal("[('gateway>', 'dmaheap:alloc -n held 64K\\r'), ('inode', 'sh\\r'),"
                + " ('gateway>', 'dmaheap:alloc -n inner 64K\\r'), ('inode', 'dmaheap:buffers; sleep 600\\r'),"
                + " ('INODE', '\\x1c')]");
        assertEquals(left.toString(), 131, left.exit());
        assertTrue(
                left.out(), left.out().contains("held   64 KiB") && left.out().contains("inner  64 KiB"));
        awaitBuffers("(?!.*(held|inner)).*");
    }

    private void awaitBuffers(String pattern) throws Exception {
        Pattern expected = Pattern.compile(pattern, Pattern.DOTALL);
        String last = "";
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (System.nanoTime() < deadline) {
            last = run("--attach", "dmaheap:buffers").out();
            if (expected.matcher(last).matches()) {
                return;
            }
        }
        fail("not " + pattern + ": " + last);
    }

    @Test
    public void another_user_is_refused() throws Exception {
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
        assumeTrue(
                "skipped: only root can become another user; run the tests as root",
                System.getProperty("user.name").equals("root"));
        assumeTrue(
                "skipped: another user cannot run the JDK",
                asNobody("--version").exit() == 0);
        Result refused = asNobody("status");
        assertEquals(refused.toString(), 4, refused.exit());
        assertTrue(refused.err(), refused.err().contains("is denied: the socket belongs to user root"));
    }

    @Test
    public void another_gateway_leaves_a_socket_that_is_in_use_alone() throws Exception {
        Path log = FOLDER.newFile().toPath();
        Process other = start(builder("--daemon").redirectErrorStream(true).redirectOutput(log.toFile()));
        String expected = "no control socket was opened: the gateway of process ";
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!Files.readString(log).contains(expected) && System.nanoTime() < deadline) {
            Thread.sleep(50);
        }
        other.destroy();
        assertTrue(other.waitFor(SECONDS, TimeUnit.SECONDS));
        assertTrue(Files.readString(log), Files.readString(log).contains(expected));
        assertEquals(0, run("status").exit());
    }

    @Test
    public void without_its_jar_the_client_reports_that() throws Exception {
        try (UnpackedGateway lacking = UnpackedGateway.in(FOLDER.newFolder().toPath())) {
            Files.delete(lacking.bundle("heap-gateway.jar"));
            Result result = result(builder(lacking, "status"));
            assertEquals(result.toString(), 1, result.exit());
            assertTrue(result.err(), result.err().contains("heap-gateway.jar is missing"));
            assertTrue(lacking.runOnce("dmaheap:list").contains("system"));
        }
    }

    private Result asNobody(String argument) throws Exception {
        ProcessBuilder other = builder(argument);
        other.command().addAll(0, List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));
        return result(other);
    }

    private Result onTerminal(String pairs) throws Exception {
        Path script = FOLDER.newFile().toPath();
        try (InputStream resource = ControlIT.class.getResourceAsStream("terminal.py")) {
            Files.write(script, resource.readAllBytes());
        }
        ProcessBuilder client = builder("--attach");
        client.command().addAll(0, List.of("python3", script.toString(), pairs));
        return result(client);
    }

    private void awaitStatus(String expected) throws Exception {
        String last = "";
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (System.nanoTime() < deadline) {
            last = run("status").out();
            if (last.contains(expected)) {
                return;
            }
        }
        fail("no '" + expected + "' in " + last);
    }

    private Result runUntil(int status, String... arguments) throws Exception {
        Result last = run(arguments);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (last.exit() != status && System.nanoTime() < deadline) {
            last = run(arguments);
        }
        assertEquals(last.toString(), status, last.exit());
        return last;
    }

    private Result run(String... arguments) throws Exception {
        return result(builder(arguments));
    }

    private Result result(ProcessBuilder builder) throws Exception {
        Path out = FOLDER.newFile().toPath();
        Path err = FOLDER.newFile().toPath();
        Process process = start(builder.redirectOutput(out.toFile()).redirectError(err.toFile()));
        process.getOutputStream().close();
        assertTrue(builder.command() + " hangs", process.waitFor(SECONDS, TimeUnit.SECONDS));
        return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    private Process start(ProcessBuilder builder) throws IOException {
        Process process = builder.start();
        clients.add(process);
        return process;
    }

    private static ProcessBuilder builder(String... arguments) {
        return builder(gateway, arguments);
    }

    private static ProcessBuilder builder(UnpackedGateway of, String... arguments) {
        List<String> words =
                new ArrayList<>(List.of(of.home().resolve("bin/gateway").toString(), "--socket", socket.toString()));
        words.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(words);
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().remove("JAVA_OPTS");
        return builder;
    }

    private static void write(Path jar, String name, String imported) throws IOException {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        attributes.putValue("Bundle-ManifestVersion", "2");
        attributes.putValue("Bundle-SymbolicName", name);
        attributes.putValue("Import-Package", imported);
        new JarOutputStream(Files.newOutputStream(jar), manifest).close();
    }
}
