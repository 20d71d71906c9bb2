// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assumptions.abort;

import java.util.Map;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.secret.SecretSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.tck.Announced;
import org.slf4j.helpers.NOPLogger;

/** Check that the running kernel provides secret memory. */
final class SecretMemory {
    private SecretMemory() {}

    /** Skips the test if the kernel does not provide secret memory, for a reason of the kernel. */
    static void assumeThatTheKernelHasIt() {
        try {
            SecretSource.open("probe", Syscalls.linux(), Headroom.machine(), false);
        } catch (HeapException e) {
            switch (e.errno()) {
                case ENOSYS, EPERM, EACCES -> abort("skipped: " + e.getMessage());
                default -> throw e;
            }
        }
    }

    /** Skips a test that needs a missing program, except in CI, where the test fails. */
    static void skip(String why) {
        assertNotEquals("true", System.getenv("CI"), why);
        System.out.println("skipped: " + why);
        abort("skipped: " + why);
    }

    static Announced.Heap heap(Map<String, ?> set) {
        assumeThatTheKernelHasIt();
        Announced announced = new Announced();
        new SecureHeap(
                announced.context(),
                Announced.config(SecureHeap.Config.class, set),
                Map.of(),
                Syscalls.linux(),
                NOPLogger.NOP_LOGGER);
        return announced.heaps().getFirst();
    }
}
