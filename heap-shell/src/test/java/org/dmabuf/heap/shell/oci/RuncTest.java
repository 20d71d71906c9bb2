// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of changed settings with runc, and with a container of one static program. */
class RuncTest {
    private static final long SECONDS = 60;

    private static final String CONFIG = """
        {"ociVersion": "1.0.2",
         "process": {"user": {"uid": 1000, "gid": 1000}, "args": ["/bin/program"], "cwd": "/",
                     "noNewPrivileges": true},
         "root": {"path": "rootfs"},
         "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}],
         "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}], "seccomp": %s}}
        """;

    @TempDir
    Path bundle;

    private Path socket;
    private String id;

    private record Result(int exit, String out) {}

    @BeforeEach
    void image() throws Exception {
        if ((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") != 0) {
            skip("only root starts containers");
        }
        Path program = Files.createDirectories(bundle.resolve("rootfs/bin")).resolve("program");
        for (String folder : List.of("proc", "dev")) {
            Files.createDirectory(bundle.resolve("rootfs").resolve(folder));
        }
        Result compiled = run(
                "cc",
                "-static",
                "-O1",
                "-Wall",
                "-Werror",
                "-D_GNU_SOURCE",
                "-o",
                program.toString(),
                "src/test/c/container.c");
        assertEquals(0, compiled.exit(), compiled.out());
        socket = bundle.resolve("listener");
        id = bundle.getFileName().toString();
    }

    private void configure(String profile) throws IOException {
        String config = OciProfile.parse("config.json", CONFIG.formatted(profile))
                .withListener(
                        new Listener(socket.toString(), Optional.of("camera-app"), List.of("/dev/dma_heap/system")))
                .toString();
        Files.writeString(bundle.resolve("config.json"), config);
    }

    private static String dockerLike() throws IOException {
        return new RuntimeRules(resource("docker-like.json"), Set.of()).specification();
    }

    @Test
    void the_ioctls_of_heaps_reach_the_listener_and_no_other_call_does() throws Exception {
        assertIoctlsAreNotified(dockerLike(), "ENOSYS");
    }

    @Test
    void a_container_without_a_profile_gets_the_listener_too() throws Exception {
        assertIoctlsAreNotified("null", "EPERM");
    }

    private void assertIoctlsAreNotified(String profile, String swapon) throws Exception {
        configure(profile);
        Path script = Files.writeString(bundle.resolve("listener.py"), resource("listener.py"));
        Process listener = new ProcessBuilder("python3", script.toString(), socket.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader printed = listener.inputReader()) {
            assertEquals("listening", printed.readLine());
            Result container = runc();
            assertEquals("""
                node: c 1 3
                allocation: ENOSPC
                version of ALSA's hwdep: ENOTTY
                FIONREAD: ENOTTY
                swapon: %s
                """.formatted(swapon), container.out());
            assertEquals(0, container.exit());
            String state = printed.readLine();
            assertTrue(state.contains("\"metadata\":\"camera-app\""), state);
            assertTrue(state.contains("\"id\":\"" + id + "\""), state);
            assertEquals(
                    List.of("notice c0184800", "notice 80044800"),
                    printed.lines().toList());
            assertTrue(listener.waitFor(SECONDS, TimeUnit.SECONDS));
            assertEquals(0, listener.exitValue());
        } finally {
            listener.destroyForcibly();
        }
    }

    @Test
    void without_a_listener_the_container_does_not_start() throws Exception {
        configure(dockerLike());
        Result container = runc();
        assertNotEquals(0, container.exit());
        assertTrue(container.out().contains(socket + ": connect: no such file or directory"), container.out());
    }

    private Result runc() throws Exception {
        String root = bundle.resolve("state").toString();
        Result result = run("runc", "--root", root, "run", "--bundle", bundle.toString(), id);
        assertFalse(Files.exists(Path.of(root, id)), "the container is left");
        return result;
    }

    private static Result run(String... command) throws Exception {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            skip(command[0] + " is not installed");
            throw e;
        }
        process.getOutputStream().close();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(SECONDS, TimeUnit.SECONDS), command[0]);
        return new Result(process.exitValue(), out);
    }

    private static void skip(String why) {
        assertNotEquals("true", System.getenv("CI"), why);
        abort("skipped: " + why);
    }

    private static String resource(String name) throws IOException {
        try (InputStream resource = RuncTest.class.getResourceAsStream(name)) {
            return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
