// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Container of runc with one static program, {@code container-client.c}, which allocates on command. */
final class Container {
    private static final long SECONDS = 60;
    private static final Pattern PID = Pattern.compile("\"pid\": ?([0-9]+)");

    /** In form a config.json of {@code runc spec}, with another profile. */
    private static final String CONFIG = """
        {"ociVersion": "1.0.2",
         "process": {"user": {"uid": 1000, "gid": 1000}, "args": ["/bin/client"], "cwd": "/",
                     "noNewPrivileges": true},
         "root": {"path": "%s"},
         "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}],
         "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}],
                   "seccomp": {"defaultAction": "SCMP_ACT_ERRNO",
                               "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
                               "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": [%s]}]}}}
        """;

    /** System calls of a static program, and of runc before it executes the program. */
    private static final List<String> PERMITTED = List.of(
            "access",
            "arch_prctl",
            "brk",
            "capget",
            "capset",
            "chdir",
            "close",
            "dup",
            "epoll_ctl",
            "epoll_pwait",
            "execve",
            "exit",
            "exit_group",
            "faccessat2",
            "fchdir",
            "fcntl",
            "fstat",
            "fstatfs",
            "futex",
            "getdents64",
            "getpid",
            "getppid",
            "getrandom",
            "gettid",
            "ioctl",
            "lseek",
            "madvise",
            "mmap",
            "mprotect",
            "munmap",
            "nanosleep",
            "newfstatat",
            "openat",
            "pipe2",
            "poll",
            "prctl",
            "prlimit64",
            "read",
            "readlink",
            "readlinkat",
            "rseq",
            "rt_sigaction",
            "rt_sigprocmask",
            "rt_sigreturn",
            "set_robust_list",
            "set_tid_address",
            "setgid",
            "setgroups",
            "setuid",
            "sigaltstack",
            "statfs",
            "tgkill",
            "uname",
            "write");

    private final String id;
    private final Path bundle;
    private final Process runc;
    private final BufferedReader out;

    private Container(String id, Path bundle, Process runc) {
        this.id = id;
        this.bundle = bundle;
        this.runc = runc;
        this.out = runc.inputReader(StandardCharsets.UTF_8);
    }

    /** Skips the tests if containers cannot be started here, or fails if {@code CI=true}. */
    static void requireRunc() throws Exception {
        String lack = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") != 0
                ? "only root starts containers"
                : installed("runc") && installed("cc") ? "" : "runc or a C compiler is not installed";
        if (!lack.isEmpty()) {
            assertFalse(lack, "true".equals(System.getenv("CI")));
            System.out.println("skipped: " + lack);
            assumeTrue(lack, false);
        }
    }

    private static boolean installed(String program) throws Exception {
        try {
            return output(new ProcessBuilder(program, "--version")) != null;
        } catch (IOException e) {
            return false;
        }
    }

    /** Makes the image: a root file system with one program. */
    static Path image(Path folder) throws Exception {
        Path root = folder.resolve("rootfs");
        for (String name : List.of("bin", "proc", "dev")) {
            Files.createDirectories(root.resolve(name));
        }
        String printed = output(new ProcessBuilder(
                "cc",
                "-static",
                "-O1",
                "-Wall",
                "-Werror",
                "-D_GNU_SOURCE",
                "-o",
                root.resolve("bin/client").toString(),
                "src/test/c/container-client.c"));
        assertEquals("", printed);
        return root;
    }

    /** Writes the {@code config.json} of a container, as for a container that knows no heap. */
    static Path config(Path file, Path image) throws IOException {
        return Files.writeString(file, CONFIG.formatted(image, "\"" + String.join("\", \"", PERMITTED) + "\""));
    }

    /** Starts a container, and returns before its program runs. */
    static Container start(Path bundle) throws IOException {
        String id = "dmaheap-" + bundle.getFileName() + "-"
                + ProcessHandle.current().pid();
        Process runc = new ProcessBuilder(
                        "runc", "--root", bundle.resolve("state").toString(), "run", "--bundle", bundle.toString(), id)
                .redirectError(bundle.resolve("errors").toFile())
                .start();
        return new Container(id, bundle, runc);
    }

    /** Waits until its program runs. */
    Container awaitReady() throws IOException {
        assertEquals(errors(), "ready", out.readLine());
        return this;
    }

    /** {@return the reply to a command} */
    String run(String command) throws IOException {
        send(command);
        return reply();
    }

    void send(String command) throws IOException {
        runc.outputWriter(StandardCharsets.UTF_8).append(command).append('\n').flush();
    }

    String reply() throws IOException {
        String line = out.readLine();
        return line == null ? "end: " + errors() : line;
    }

    /** {@return the process of its program} */
    long pid() throws Exception {
        Matcher pid = PID.matcher(output(runc("state", id)));
        assertTrue(pid.find());
        return Long.parseLong(pid.group(1));
    }

    void kill() throws Exception {
        assertEquals("", output(runc("kill", id, "KILL")));
        assertTrue(runc.waitFor(SECONDS, TimeUnit.SECONDS));
    }

    /** {@return exit status of a container that ends by itself} */
    int await() throws Exception {
        runc.outputWriter(StandardCharsets.UTF_8).close();
        assertTrue(runc.waitFor(SECONDS, TimeUnit.SECONDS));
        return runc.exitValue();
    }

    String errors() throws IOException {
        return Files.readString(bundle.resolve("errors"));
    }

    private ProcessBuilder runc(String... words) {
        ProcessBuilder builder =
                new ProcessBuilder("runc", "--root", bundle.resolve("state").toString());
        builder.command().addAll(List.of(words));
        return builder;
    }

    private static String output(ProcessBuilder builder) throws Exception {
        Process process = builder.redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(SECONDS, TimeUnit.SECONDS));
        return text;
    }

    /** Removes the container if it has not ended. */
    void remove() throws Exception {
        if (runc.isAlive()) {
            output(runc("delete", "--force", id));
            assertTrue(runc.waitFor(SECONDS, TimeUnit.SECONDS));
        }
    }
}
