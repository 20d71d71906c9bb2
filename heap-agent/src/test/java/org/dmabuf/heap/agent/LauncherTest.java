// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tests of dmaheap-run with an agent, the gateway of the tests, and the programs of src/test/c. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LauncherTest {
    private static final String NODE = "/dev/dma_heap/dmaheap-run-test";
    private static final String ION = "/dev/dmaheap-run-test-ion";
    private static final String SIMPLE = "/dev/dmaheap-run-test-cma";
    /** The kernel's overflow user, which owns no file. */
    private static final String ORDINARY = "65534";

    /** A user that starts the launcher. */
    private enum User {
        ROOT,
        ORDINARY
    }

    private record Result(int status, String out, String err) {
        String success() {
            assertEquals(0, status, this::toString);
            return out;
        }
    }

    @TempDir
    static Path folder;

    private boolean root;
    private Path launcher;
    private FakeGateway gateway;
    private Agent agent;

    @BeforeAll
    void build_the_programs_and_start_the_agent() throws Exception {
        root = "0".equals(run(List.of("id", "-u")).out().strip());
        need("gcc", "setpriv", "python3");
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        run(List.of("./launcher", folder.toString())).success();
        Result build = run(List.of("src/test/c/build", folder.toString()));
        build.success();
        assertFalse(isCi() && build.err().contains("skipped"), build.err());
        launcher = folder.resolve(
                "dmaheap-run-" + run(List.of("uname", "-m")).out().strip());
        gateway = new FakeGateway(folder.resolve("gateway"));
        agent = agent(
                "run",
                new Node(NODE, Abi.DMA_HEAP, "system", false),
                new Node(ION, Abi.ION, "", false),
                new Node(SIMPLE, Abi.SIMPLE, "cma", false));
    }

    private Agent agent(String socket, Node... nodes) {
        AgentSettings settings = new AgentSettings(
                folder.resolve("gateway"),
                Duration.ofSeconds(5),
                Duration.ofSeconds(30),
                Optional.of(folder.resolve(socket)),
                true,
                OptionalInt.empty(),
                Optional.empty(),
                0,
                100,
                100,
                4,
                Stream.of(nodes).collect(Collectors.toMap(Node::path, node -> node)));
        return Agent.start(settings);
    }

    @BeforeEach
    void forget_the_clients_of_earlier_tests() {
        gateway.hellos.clear();
    }

    @AfterEach
    void the_launcher_keeps_no_listener() throws InterruptedException {
        for (int i = 0; i < 2000 && agent.clients() > 0; i++) {
            Thread.sleep(10);
        }
        assertEquals(0, agent.clients());
    }

    @AfterAll
    void stop_the_agent_and_the_gateway() throws InterruptedException {
        if (agent != null) {
            agent.close();
        }
        if (gateway != null) {
            gateway.stop();
        }
    }

    private Stream<List<Object>> programs() {
        List<List<Object>> programs = new ArrayList<>();
        for (User user : User.values()) {
            for (String kind : List.of("dynamic", "static", "32")) {
                programs.add(List.of(user, "dma-heap-client." + kind, NODE));
                programs.add(List.of(user, "ion-client." + kind, ION));
                programs.add(List.of(user, "simple-client." + kind, SIMPLE));
            }
            programs.add(List.of(user, "go-client.dynamic", NODE));
            programs.add(List.of(user, "go-client.static", NODE));
        }
        return programs.stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("programs")
    void programs_that_know_only_the_kernel_get_memory_and_its_errors(List<Object> program) throws Exception {
        Path file = folder.resolve((String) program.get(1));
        assumeTrue(Files.exists(file), "skipped: src/test/c/build did not build it");
        String out = as((User) program.get(0), "--", file.toString(), (String) program.get(2))
                .success();
        assertTrue(out.endsWith("0 rows differ\n") || out.equals("0 of 400 buffers failed\n"), out);
    }

    @ParameterizedTest
    @MethodSource("users")
    void nodes_are_the_null_device_and_the_host_has_none_of_them(User user) throws Exception {
        String seen = as(user, "stat", "-c", "%n %t:%T %F", NODE, ION, SIMPLE).success();
        String device = " 1:3 character special file\n";
        assertEquals(NODE + device + ION + device + SIMPLE + device, seen);
        assertFalse(Stream.of(NODE, ION, SIMPLE).anyMatch(node -> Files.exists(Path.of(node))));
    }

    @ParameterizedTest
    @MethodSource("users")
    void other_devices_and_terminals_still_work(User user) throws Exception {
        String program = "import os; a, b = os.openpty(); os.ttyname(b); os.write(b, open('/dev/zero', 'rb').read(3));"
                + "print(os.read(a, 3), sorted(set(os.listdir('/dev')) - {'.covered'}))";
        String plain = run(List.of("python3", "-c", program)).success();
        String launched = as(user, "python3", "-c", program).success();
        for (String node : List.of("dma_heap", "dmaheap-run-test-ion", "dmaheap-run-test-cma")) {
            launched = launched.replace("'" + node + "', ", plain.contains("'" + node + "'") ? "'" + node + "', " : "");
        }
        assertEquals(plain, launched);
    }

    @ParameterizedTest
    @MethodSource("users")
    void programs_get_no_descriptor_of_the_launcher(User user) throws Exception {
        String plain = run(List.of("ls", "/proc/self/fd")).success();
        assertEquals(plain, as(user, "ls", "/proc/self/fd").success());
    }

    @Test
    void the_program_of_a_user_has_no_privileges_and_is_a_client_with_its_number() throws Exception {
        String id = root ? ORDINARY : run(List.of("id", "-u")).success().strip();
        String status = as(User.ORDINARY, "cat", "/proc/self/status").success();
        assertTrue(status.contains("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000"), status);
        assertTrue(status.contains("NoNewPrivs:\t1"), status);
        as(User.ORDINARY, folder.resolve("go-client.dynamic").toString(), NODE).success();
        assertEquals(List.of("uid:" + id), clients());
    }

    @Test
    void root_drops_its_privileges_before_it_attaches() throws Exception {
        needRoot();
        String status =
                as(User.ROOT, "--user", "1234:5678", "cat", "/proc/self/status").success();
        assertTrue(status.contains("Uid:\t1234\t1234\t1234\t1234\nGid:\t5678\t5678\t5678\t5678"), status);
        assertTrue(status.contains("Groups:\t \n"), status);
        assertTrue(status.contains("CapPrm:\t0000000000000000"), status);
        as(
                        User.ROOT,
                        "--user",
                        "1234:5678",
                        folder.resolve("simple-client.static").toString(),
                        SIMPLE)
                .success();
        assertEquals(List.of("uid:1234"), clients());
    }

    @Test
    void ambient_capabilities_make_the_nodes_and_do_not_reach_the_program() throws Exception {
        needRoot();
        String program = "cat /proc/self/uid_map /proc/self/status";
        String setpriv = "exec setpriv --reuid 1234 --regid 1234 --clear-groups --inh-caps +sys_admin --ambient-caps"
                + " +sys_admin " + launcher + " --socket " + folder.resolve("run") + " " + program;
        String out = run(List.of("sh", "-c", setpriv)).success();
        assertTrue(out.strip().startsWith("0          0 4294967295"), out);
        assertTrue(out.contains("CapInh:\t0000000000000000\nCapPrm:\t0000000000000000"), out);
    }

    @Test
    void a_strict_mask_of_the_caller_does_not_hide_the_nodes() throws Exception {
        needRoot();
        String program = "umask 077; exec " + launcher + " --socket " + folder.resolve("run")
                + " --user 1234:5678 sh -c 'umask; exec 3< " + NODE + "'";
        assertEquals("0077\n", run(List.of("sh", "-c", program)).success());
    }

    @Test
    void mounts_do_not_reach_a_host_with_shared_mounts() throws Exception {
        needRoot();
        String program = launcher + " --socket " + folder.resolve("run") + " test -e " + NODE + " && ! test -e " + NODE;
        run(List.of("unshare", "--mount", "--propagation", "shared", "sh", "-c", program))
                .success();
    }

    @Test
    void a_user_of_the_system_has_the_groups_of_its_entry() throws Exception {
        needRoot();
        String groups = as(User.ROOT, "--user", "daemon", "id").success();
        assertEquals(run(List.of("id", "daemon")).success(), groups);
    }

    @Test
    void a_root_program_cannot_change_the_null_device_of_others() throws Exception {
        needRoot();
        Result change = as(User.ROOT, "chmod", "600", NODE);
        assertEquals(1, change.status());
        assertTrue(change.err().contains("Read-only file system"), change.err());
        as(User.ROOT, "sh", "-c", "echo 1 > " + NODE).success();
    }

    @Test
    void nodes_that_are_the_null_device_already_need_no_namespace() throws Exception {
        try (Agent _ = agent("null", new Node("/dev/null", Abi.DMA_HEAP, "system", false))) {
            String own = run(List.of("readlink", "/proc/self/ns/mnt")).success();
            assertEquals(
                    own,
                    launch(User.ORDINARY, "null", "readlink", "/proc/self/ns/mnt")
                            .success());
            assertNotEquals(
                    own, as(User.ORDINARY, "readlink", "/proc/self/ns/mnt").success());
        }
    }

    @Test
    void without_user_namespaces_the_error_has_the_remedies() throws Exception {
        needRoot();
        String limit = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -sys_admin "
                + "--inh-caps -sys_admin " + launcher + " --socket " + folder.resolve("run") + " true";
        Result refusal = run(List.of("unshare", "--user", "--map-root-user", "sh", "-c", limit));
        assertEquals(125, refusal.status(), refusal::toString);
        assertEquals(
                "dmaheap-run: " + NODE + " cannot be made: this user may not make user namespaces: No space left on"
                        + " device; start it as root with --user, or make the nodes once: a line 'c " + NODE
                        + " 0666 - - - 1:3' in /etc/tmpfiles.d\n",
                refusal.err());
    }

    @Test
    void the_status_is_that_of_the_program() throws Exception {
        assertEquals(7, as(User.ORDINARY, "sh", "-c", "exit 7").status());
        Result missing = as(User.ORDINARY, "/dmaheap-run-no-such-program");
        assertEquals(127, missing.status());
        assertEquals(
                "dmaheap-run: /dmaheap-run-no-such-program cannot be executed: No such file or directory\n",
                missing.err());
        assertEquals(126, as(User.ORDINARY, "/etc/passwd").status());
    }

    @Test
    void a_second_listener_is_refused() throws Exception {
        Result refusal = as(
                User.ORDINARY,
                launcher.toString(),
                "--socket",
                folder.resolve("run").toString(),
                "true");
        assertEquals(125, refusal.status());
        assertTrue(refusal.err().contains("this process has one of a container's runtime or of another dmaheap-run"));
    }

    @Test
    void without_an_agent_the_program_does_not_start() throws Exception {
        Result refusal = launch(User.ORDINARY, "absent", "echo", "started");
        assertEquals(125, refusal.status());
        assertEquals("", refusal.out());
        assertEquals(
                "dmaheap-run: connect to " + folder.resolve("absent")
                        + " failed: No such file or directory; is dmaheap-agent running, and does its setting"
                        + " run.group permit this user?\n",
                refusal.err());
    }

    @Test
    void nodes_outside_of_dev_are_refused() throws Exception {
        for (String path : List.of("/etc/passwd", "/dev/../etc/a", "/dev/a//b", "/dev/", "/dev/a/.", "/dev/a/..")) {
            try (Agent _ = agent("outside", new Node(path, Abi.ION, "", false))) {
                Result refusal = launch(User.ORDINARY, "outside", "true");
                assertEquals(125, refusal.status());
                assertEquals(
                        "dmaheap-run: invalid node " + path + " of the agent: expected a path in /dev without . and"
                                + " ..\n",
                        refusal.err());
            }
        }
    }

    @Test
    void options_are_checked() throws Exception {
        assertEquals(0, run(List.of(launcher.toString(), "--help")).status());
        assertEquals(125, run(List.of(launcher.toString())).status());
        assertEquals(125, run(List.of(launcher.toString(), "--unknown")).status());
        String option = root ? "--user" : "--socket";
        String value = root ? "dmaheap:run" : "x".repeat(108);
        Result refusal = run(List.of(launcher.toString(), option, value, "true"));
        assertEquals(125, refusal.status());
        assertTrue(refusal.err().startsWith("dmaheap-run: invalid " + option + " = " + value + ": expected "));
    }

    @Test
    void two_builds_have_the_same_bytes() throws Exception {
        Path again = folder.resolve("again");
        run(List.of("./launcher", again.toString())).success();
        assertArrayEquals(Files.readAllBytes(launcher), Files.readAllBytes(again.resolve(launcher.getFileName())));
    }

    private Stream<User> users() {
        return Stream.of(User.values());
    }

    private Result as(User user, String... arguments) throws Exception {
        return launch(user, "run", arguments);
    }

    private Result launch(User user, String socket, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        if (user == User.ROOT) {
            needRoot();
        } else if (root) {
            command.addAll(List.of("setpriv", "--reuid", ORDINARY, "--regid", ORDINARY, "--clear-groups"));
        }
        command.addAll(
                List.of(launcher.toString(), "--socket", folder.resolve(socket).toString()));
        command.addAll(List.of(arguments));
        return run(command);
    }

    private List<String> clients() {
        return gateway.hellos.stream()
                .map(hello -> hello.kind() + ":" + hello.name())
                .distinct()
                .toList();
    }

    private void needRoot() {
        assumeTrue(root, "skipped: only root can start it so; run the tests as root");
    }

    private static boolean isCi() {
        return "true".equals(System.getenv("CI"));
    }

    private static void need(String... programs) throws Exception {
        for (String program : programs) {
            boolean found = run(List.of("sh", "-c", "command -v " + program)).status() == 0;
            assertTrue(found || !isCi(), program + " is not installed, and in CI it has to be");
            assumeTrue(found, "skipped: " + program + " is not installed");
        }
    }

    private static Result run(List<String> command) throws IOException, InterruptedException {
        Path out = Files.createTempFile("dmaheap-run", ".out");
        Path err = Files.createTempFile("dmaheap-run", ".err");
        try {
            Process process = new ProcessBuilder(command)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            boolean ended = process.waitFor(60, TimeUnit.SECONDS);
            process.destroyForcibly();
            assertTrue(ended, () -> command + " ends");
            return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
        } finally {
            Files.delete(out);
            Files.delete(err);
        }
    }
}
