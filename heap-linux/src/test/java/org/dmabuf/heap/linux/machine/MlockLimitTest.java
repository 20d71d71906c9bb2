// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.secret.MadeUpSecrets;
import org.dmabuf.heap.linux.secret.SecretSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;

public class MlockLimitTest {
    private static final String LIMITS = """
            Limit                     Soft Limit           Hard Limit           Units
            Max processes             15610                15610                processes
            Max locked memory         8388608              unlimited            bytes
            Max address space         unlimited            unlimited            bytes
            """;
    private static final String INITIAL = "user:[4026531837]";
    private static final String ORDINARY = "Name:\tjava\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n";

    @Test
    void the_soft_limit_applies() {
        assertEquals(8388608, MlockLimit.limit(LIMITS, ORDINARY, INITIAL));
        assertEquals(MlockLimit.UNLIMITED, MlockLimit.limit(LIMITS.replace("8388608", "unlimited"), ORDINARY, INITIAL));
    }

    @Test
    void a_process_with_the_capability_has_no_limit() {
        assertEquals(
                MlockLimit.UNLIMITED,
                MlockLimit.limit(LIMITS, "CapEff:\t0000000000004000\n", INITIAL)); // CAP_IPC_LOCK alone
        assertEquals(8388608, MlockLimit.limit(LIMITS, "CapEff:\tffffffffffffbfff\n", INITIAL)); // all but it
    }

    /** The kernel checks the capability in the initial namespace, where a container's root does not have it. */
    @Test
    void the_capability_of_another_user_namespace_lifts_no_limit() {
        assertEquals(8388608, MlockLimit.limit(LIMITS, "CapEff:\t000001ffffffffff\n", "user:[4026532450]"));
        assertEquals(8388608, MlockLimit.limit(LIMITS, "CapEff:\t000001ffffffffff\n", ""));
    }

    @Test
    void locked_bytes_are_missing_until_they_are_returned() {
        MlockLimit locked = new MlockLimit(10);
        assertTrue(locked.take(7));
        assertFalse(locked.take(4));
        assertFalse(locked.take(Long.MAX_VALUE));
        assertEquals(3, locked.left());
        locked.giveBack(7);
        assertTrue(locked.take(10));
    }

    /** A separate process with a limit of 256 KiB, without the capability that would lift it. */
    @Test
    void a_process_at_its_limit_is_refused_and_lives() throws Exception {
        boolean root = Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        isRefusedAndLives(root ? List.of("setpriv", "--bounding-set=-ipc_lock") : List.of());
    }

    /** The process has every capability in its own namespace, but the kernel requires one in the initial namespace. */
    @Test
    void the_root_of_a_user_namespace_at_its_limit_is_refused_and_lives() throws Exception {
        List<String> namespace = List.of("unshare", "--user", "--map-root-user");
        List<String> probe = new ArrayList<>(namespace);
        probe.add("true");
        assumeTrue(
                new ProcessBuilder(probe).redirectErrorStream(true).start().waitFor() == 0,
                "skipped: this process may make no user namespace");
        isRefusedAndLives(namespace);
    }

    private static void isRefusedAndLives(List<String> without) throws Exception {
        int fd = MadeUpSecrets.memfdSecret(0);
        assumeTrue(fd >= 0, () -> "skipped: this kernel gives no secret memory: error " + -fd);
        Syscalls.linux().close(fd);
        List<String> command = new ArrayList<>(List.of("sh", "-c", "ulimit -l 256 && exec \"$@\"", "sh"));
        command.addAll(without);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx64m",
                "-cp",
                System.getProperty("java.class.path"),
                AtTheLimit.class.getName()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        assertEquals("""
                heap: ENOMEM heap 'secure': 512 KiB does not fit into the memory that this process may lock \
                (RLIMIT_MEMLOCK): 256 KiB left of 256 KiB; raise LimitMEMLOCK= in the unit or ulimit -l, grant \
                CAP_IPC_LOCK, or close buffers
                kernel: ENOMEM heap 'secure': 512 KiB does not fit into the memory that this process may lock \
                (RLIMIT_MEMLOCK): other mappings of this process use the rest; raise LimitMEMLOCK= in the unit or \
                ulimit -l, grant CAP_IPC_LOCK, or close buffers
                mapping: ENOMEM heap 'secure': mmap refused a buffer of 192 KiB: resource temporarily unavailable; \
                raise the process's limit of locked memory (LimitMEMLOCK= in a unit, ulimit -l), or end arenas
                """, output);
    }

    /** Program of the separate process. */
    static final class AtTheLimit {
        public static void main(String[] arguments) throws IOException {
            Syscalls syscalls = Syscalls.linux();
            SecretSource source = SecretSource.open("secure", syscalls, Headroom.machine(), true);
            refused("heap", () -> source.allocate(HeapRequest.of(512 << 10)));
            SecretSource unaware = MadeUpSecrets.open(syscalls, new MlockLimit(MlockLimit.UNLIMITED));
            refused("kernel", () -> unaware.allocate(HeapRequest.of(512 << 10)));
            HeapBuffer buffer = source.allocate(HeapRequest.of(192 << 10));
            buffer.map(Access.READ_WRITE).fill((byte) 1);
            refused("mapping", () -> buffer.map(Access.READ));
        }

        private static void refused(String what, Runnable call) {
            try {
                call.run();
                System.out.println(what + ": granted");
            } catch (HeapException e) {
                System.out.println(what + ": " + e.errno() + " " + e.getMessage());
            }
        }
    }
}
