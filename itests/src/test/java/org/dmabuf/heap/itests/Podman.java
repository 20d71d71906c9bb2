// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Podman with storage and control groups of its own. It runs containers by runc. */
final class Podman {
    private static final long SECONDS = 120;
    private static final Path CGROUPS = Path.of("/sys/fs/cgroup");

    private final Path folder;
    private final String cgroup = "dmaheap-image-" + ProcessHandle.current().pid();

    Podman() throws IOException {
        folder = Files.createTempDirectory("podman"); // not in a test's folder: Podman refuses long paths
    }

    /** Skips the tests if containers cannot be run here, or fails if {@code CI=true}. */
    static void require() throws Exception {
        String lack = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") != 0
                ? "only root runs containers"
                : Stream.of("podman", "runc", "busybox", "cc")
                        .filter(program -> !Files.isExecutable(Path.of("/usr/bin", program))
                                && !Files.isExecutable(Path.of("/usr/sbin", program)))
                        .findFirst()
                        .map(program -> program + " is not installed")
                        .orElse("");
        if (!lack.isEmpty()) {
            assertFalse(lack, "true".equals(System.getenv("CI")));
            System.out.println("skipped: " + lack);
            assumeTrue(lack, false);
        }
    }

    /** {@return a process of Podman that is not started yet} */
    ProcessBuilder builder(String... words) {
        List<String> command = new ArrayList<>(List.of(
                "podman",
                "--root=" + folder.resolve("storage"),
                "--runroot=" + folder.resolve("run"),
                "--tmpdir=" + folder.resolve("tmp"),
                "--storage-driver=vfs",
                "--runtime=runc",
                "--cgroup-manager=cgroupfs",
                "--events-backend=none",
                "--log-level=error")); // a warning has the time, and would be part of an output
        command.addAll(List.of(words));
        return new ProcessBuilder(command);
    }

    /**
     * {@return a container of an image with few rights: without capabilities and a network, on a read-only root}
     *
     * @param words further options, the image and its arguments
     */
    ProcessBuilder container(String... words) {
        List<String> all = new ArrayList<>(List.of(
                "run",
                "--cgroup-parent=/" + cgroup,
                "--cgroups=no-conmon",
                "--read-only",
                "--read-only-tmpfs=false",
                "--cap-drop=all",
                "--security-opt=no-new-privileges",
                "--network=none",
                "--log-driver=k8s-file", // not the machine's journal
                "--ulimit=nofile=16384:16384",
                "--ulimit=nproc=4096:4096"));
        all.addAll(List.of(words));
        return builder(all.toArray(String[]::new));
    }

    /** Output, errors included, and exit status of a command that has ended. */
    record Ended(int status, String output) {}

    static Ended run(ProcessBuilder builder) throws Exception {
        Process process = builder.redirectErrorStream(true).start();
        process.getOutputStream().close();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Ended(process.waitFor(), text);
    }

    /** {@return the output of a command, errors included; its exit status must be 0} */
    static String succeed(ProcessBuilder builder) throws Exception {
        Ended ended = run(builder);
        assertEquals(ended.output(), 0, ended.status());
        return ended.output();
    }

    /** Repeats a command of Podman until its output has a match of a regular expression. */
    void await(String expected, String... words) throws Exception {
        await(Pattern.compile(expected), () -> run(builder(words)).output());
    }

    private static void await(Pattern expected, Callable<String> text) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        String last = text.call();
        while (!expected.matcher(last).find()) {
            assertTrue(last + "\nhas no '" + expected + "' after " + SECONDS + " s", System.nanoTime() < deadline);
            Thread.sleep(50);
            last = text.call();
        }
    }

    /** Removes all containers and their volumes, and waits for the end of their processes. */
    void removeContainers() throws Exception {
        succeed(builder("rm", "--all", "--force", "--volumes", "--time=0"));
        await(
                Pattern.compile("^$"),
                () -> ProcessHandle.allProcesses()
                        .map(process -> process.info().commandLine().orElse(""))
                        .filter(command -> command.contains(folder.toString()))
                        .collect(Collectors.joining("\n")));
        String mounts = Files.readString(Path.of("/proc/self/mounts"));
        assertFalse(mounts, mounts.contains(folder.toString()));
    }

    /** Removes images, files and control groups. */
    void remove() throws Exception {
        removeContainers();
        succeed(new ProcessBuilder("rm", "-r", folder.toString()));
        try (Stream<Path> hierarchies = Files.list(CGROUPS)) {
            for (Path hierarchy : Stream.concat(Stream.of(CGROUPS), hierarchies.filter(Files::isDirectory))
                    .toList()) {
                Files.deleteIfExists(hierarchy.resolve(cgroup));
            }
        }
    }
}
