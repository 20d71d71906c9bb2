// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of programs in Python and C that get memory from a gateway, which runs as a process. */
public class NativeClientIT {
    private static final Path ROOT =
            Path.of(System.getProperty("contract")).toAbsolutePath().normalize().getParent();
    private static final Path SOURCES = ROOT.resolve("heap-native/src/test");
    private static final long SECONDS = 60;
    private static final String OTHER_USER = "65534";

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private final List<Process> programs = new ArrayList<>();
    private UnpackedGateway gateway;
    private Path socket;
    private String self;

    @Before
    public void start() throws Exception {
        Files.setPosixFilePermissions(folder.getRoot().toPath(), PosixFilePermissions.fromString("rwxr-xr-x"));
        socket = folder.getRoot().toPath().resolve("native.socket");
        self = "uid:" + Files.getAttribute(folder.getRoot().toPath(), "unix:uid");
        gateway = UnpackedGateway.in(folder.newFolder().toPath()).startScript();
    }

    @After
    public void stop() throws Exception {
        for (Process program : programs) {
            program.destroyForcibly().waitFor();
        }
        gateway.close();
    }

    private void configure(String pid, String... lines) throws Exception {
        Files.write(gateway.home().resolve("etc").resolve(pid + ".cfg"), List.of(lines));
    }

    private void open(String... lines) throws Exception {
        List<String> all = new ArrayList<>(List.of("path = " + socket));
        all.addAll(List.of(lines));
        configure("org.dmabuf.heap.native", all.toArray(String[]::new));
        gateway.awaitLog("native clients are served at " + socket);
    }

    private Process python(String... words) throws Exception {
        List<String> command = new ArrayList<>(
                List.of("python3", "-B", SOURCES.resolve("resources/client.py").toString(), socket.toString()));
        command.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("PYTHONPATH", ROOT.resolve("clients/python").toString());
        return started(builder);
    }

    private Process started(ProcessBuilder builder) throws Exception {
        Process program = builder.start();
        programs.add(program);
        return program;
    }

    /** Compiles the client in C against the header alone. */
    private Path compiled() throws Exception {
        assumeTrue("a C compiler is needed", Files.isExecutable(Path.of("/usr/bin/cc")));
        Path program = folder.getRoot().toPath().resolve("client");
        Process cc = new ProcessBuilder(
                        "cc",
                        "-std=c99",
                        "-I" + ROOT.resolve("clients/c"),
                        "-o",
                        program.toString(),
                        SOURCES.resolve("c/client.c").toString())
                .inheritIO()
                .start();
        assertEquals(0, cc.waitFor());
        return program;
    }

    private static String onlyLine(Process program) throws Exception {
        program.getOutputStream().close();
        String text = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(text, program.waitFor(SECONDS, TimeUnit.SECONDS));
        assertEquals(text, 1, text.lines().count());
        return text.strip();
    }

    /** Repeats a command of the client in Python until it prints a line. */
    private void awaitLine(String expected, String... words) throws Exception {
        String last = "";
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!last.equals(expected) && System.nanoTime() < deadline) {
            last = onlyLine(python(words));
        }
        assertEquals(expected, last);
    }

    @Test
    public void without_a_configuration_there_is_no_socket_and_a_removed_one_closes_it() throws Exception {
        assertTrue(gateway.run("felix:lb -s").contains("org.dmabuf.heap.native"));
        assertFalse(Files.exists(socket));
        open("allow = system=" + self);
        assertTrue(Files.exists(socket));
        Files.delete(gateway.home().resolve("etc/org.dmabuf.heap.native.cfg"));
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (Files.exists(socket) && System.nanoTime() < deadline) {
            Thread.sleep(20);
        }
        assertFalse(Files.exists(socket));
        gateway.endScript();
    }

    @Test
    public void programs_get_memory_of_a_heap_that_was_dropped_in_and_a_killed_one_is_not_charged() throws Exception {
        open("allow = acme=" + self);
        Files.copy(Gateway.dropIn("vendor-heap"), gateway.dropped("acme.jar"));
        gateway.await("dmaheap:list", "acme +acme +memfd +no +serving .*");
        List<Process> holders = List.of(
                python("allocate", "65536", "acme"),
                started(new ProcessBuilder(compiled().toString(), socket.toString(), "allocate", "65536", "acme")));
        for (Process holder : holders) {
            try (BufferedReader out = holder.inputReader()) {
                assertEquals("65536 memfd acme 0", out.readLine());
                String dump = gateway.run("dmaheap:dump --json");
                assertTrue(dump, dump.contains("\"name\":\"frame@" + holder.pid() + "\""));
                assertTrue(dump, dump.contains("\"client\":\"" + self + "\""));
            } finally {
                holder.destroyForcibly().waitFor();
            }
        }
        awaitLine("0 0 18446744073709551615", "usage");
        gateway.endScript();
    }

    @Test
    public void a_refusal_names_the_setting_and_its_file_and_a_change_of_it_needs_no_restart() throws Exception {
        open("allow = camera=" + self);
        assertEquals(
                "-13 heap 'system': client " + self + " may not use it; to permit it, add system=" + self
                        + " to allow in etc/org.dmabuf.heap.native.cfg",
                onlyLine(python("allocate", "4096", "system")));
        configure("org.dmabuf.heap.native", "path = " + socket, "allow = system=" + self);
        awaitLine("4096 memfd system 0", "allocate", "4096", "system");

        configure("org.dmabuf.heap.native", "path = " + socket, "allow = system");
        gateway.awaitLogLine(
                "invalid allow = system in etc/org.dmabuf.heap.native.cfg, line 2: expected NAME=KIND:NAME");
        assertEquals("4096 memfd system 0", onlyLine(python("allocate", "4096", "system")));
        gateway.endScript();
    }

    @Test
    public void the_quota_of_the_user_is_that_of_the_brokers_configuration() throws Exception {
        configure("org.dmabuf.heap.broker", "views.allow = org.dmabuf.heap.native", "quota.client = " + self + "=64K");
        open("allow = system=" + self);
        awaitLine("0 0 65536", "usage"); // the broker's file is read at its own time
        String refusal = onlyLine(python("allocate", "69632", "system"));
        assertTrue(refusal, refusal.startsWith("-12 ") && refusal.contains("quota.client"));
        assertEquals("65536 memfd system 0", onlyLine(python("allocate", "65536", "system")));
        gateway.endScript();
    }

    @Test
    public void memory_outlives_the_gateway() throws Exception {
        open("allow = system=" + self);
        Process holder = python("allocate", "4096", "system");
        try (BufferedReader out = holder.inputReader()) {
            assertEquals("4096 memfd system 0", out.readLine());
            gateway.terminate();
            assertFalse(Files.exists(socket));
            assertTrue(
                    Files.readString(Path.of("/proc/" + holder.pid() + "/maps")).contains("memfd:"));
            holder.getOutputStream().close();
            assertTrue(holder.waitFor(SECONDS, TimeUnit.SECONDS));
            assertEquals(0, holder.exitValue());
        }
        Process late = python("usage");
        late.getOutputStream().close();
        assertTrue(late.waitFor(SECONDS, TimeUnit.SECONDS));
        assertNotEquals(0, late.exitValue());
    }

    @Test
    public void a_program_of_another_user_has_that_users_identity() throws Exception {
        assumeTrue("only root starts programs of other users", self.equals("uid:0"));
        Path client = compiled();
        open("access = all", "allow = system=uid:" + OTHER_USER);
        ProcessBuilder builder = new ProcessBuilder(
                "setpriv",
                "--reuid",
                OTHER_USER,
                "--regid",
                OTHER_USER,
                "--clear-groups",
                client.toString(),
                socket.toString(),
                "identity");
        assertEquals("uid:" + OTHER_USER, onlyLine(started(builder)));
        assertTrue(onlyLine(python("allocate", "4096", "system")).startsWith("-13 "));
        gateway.endScript();
    }
}
