// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Container of runc whose only program is a {@link NodeProgram}. */
final class Container extends NodeProgram {
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

    private Container(String id, Path bundle) throws IOException {
        super(command(bundle, "run", "--bundle", bundle.toString(), id), bundle.resolve("errors"));
        this.id = id;
        this.bundle = bundle;
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

    /** Makes the image: a root file system with one program. */
    static Path image(Path folder) throws Exception {
        Path root = folder.resolve("rootfs");
        for (String name : List.of("bin", "proc", "dev")) {
            Files.createDirectories(root.resolve(name));
        }
        NodeProgram.compile(root.resolve("bin/client"));
        return root;
    }

    /** Writes the {@code config.json} of a container, as for a container that knows no heap. */
    static Path config(Path file, Path image) throws IOException {
        return Files.writeString(file, CONFIG.formatted(image, "\"" + String.join("\", \"", PERMITTED) + "\""));
    }

    /** Starts a container, and returns before its program runs. */
    static Container start(Path bundle) throws IOException {
        return new Container(
                "dmaheap-" + bundle.getFileName() + "-"
                        + ProcessHandle.current().pid(),
                bundle);
    }

    private static List<String> command(Path bundle, String... words) {
        List<String> command = new ArrayList<>(
                List.of("runc", "--root", bundle.resolve("state").toString()));
        command.addAll(List.of(words));
        return command;
    }

    private String runc(String... words) throws Exception {
        return output(new ProcessBuilder(command(bundle, words)));
    }

    String id() {
        return id;
    }

    /** {@return the process of its program} */
    long pid() throws Exception {
        Matcher pid = PID.matcher(runc("state", id));
        assertTrue(pid.find());
        return Long.parseLong(pid.group(1));
    }

    void kill() throws Exception {
        assertEquals("", runc("kill", id, "KILL"));
        awaitEnd();
    }

    /** Removes the container if it has not ended. */
    @Override
    void remove() throws Exception {
        if (process().isAlive()) {
            runc("delete", "--force", id);
            awaitEnd();
        }
    }
}
