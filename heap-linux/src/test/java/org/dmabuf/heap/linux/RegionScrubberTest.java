// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.spi.HeapBuffer;
import org.junit.jupiter.api.Test;

class RegionScrubberTest {
    private static final long SIZE = 1 << 20;

    private final AtomicReference<Error> failure = new AtomicReference<>();
    private final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                if (method.getName().equals("madvise") && failure.get() != null) {
                    throw failure.get();
                }
                try {
                    return method.invoke(Syscalls.linux(), arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });

    /** A range for which a buffer had other memory is filled by the thread, a second after the release. */
    @Test
    void an_error_and_a_log_that_throws_end_no_thread_and_lose_no_range() {
        RegionLayout layout = RegionLayout.of(SIZE, "size").withExports(RegionLayout.Exports.MEMFD);
        try (FailingLog log = new FailingLog(DaemonLoop.class, true);
                RegionSource source = RegionSource.open("camera", layout, syscalls, Headroom.machine())) {
            HeapBuffer buffer = source.allocate(new Request(SIZE));
            failure.set(new OutOfMemoryError("as the test wants it"));
            buffer.release();
            await(() -> log.records() == 1);
            assertEquals(0, source.usage().free().orElseThrow());
            failure.set(null);
            await(() -> source.usage().free().orElseThrow() == SIZE);
        }
    }

    private static void await(BooleanSupplier condition) {
        long end = System.nanoTime() + 30_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, "waited in vain");
            Thread.onSpinWait();
        }
    }
}
