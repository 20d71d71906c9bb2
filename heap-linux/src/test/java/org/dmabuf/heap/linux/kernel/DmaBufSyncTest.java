// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;

class DmaBufSyncTest {
    private static final long START_BOTH = 3;
    private static final long END_BOTH = 7;

    private final List<Long> syncs = Collections.synchronizedList(new ArrayList<>());
    private final CountDownLatch inside = new CountDownLatch(1);
    private final CountDownLatch goOn = new CountDownLatch(1);

    /** Kernel whose first SYNC blocks until the test lets it return. */
    private final Syscalls slow = (Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                syncs.add((Long) arguments[1]);
                inside.countDown();
                goOn.await();
                return 0;
            });

    @Test
    void during_the_first_cpu_access_no_other_begins() throws InterruptedException {
        DmaBufSync sync = new DmaBufSync(slow, "camera", 4096, false);
        List<Thread> threads = new ArrayList<>();
        threads.add(Thread.ofPlatform().start(() -> sync.begin(3, Access.READ)));
        inside.await();
        for (int i = 0; i < 7; i++) {
            threads.add(Thread.ofPlatform().start(() -> sync.begin(3, Access.WRITE)));
        }
        for (Thread thread : threads.subList(1, 8)) {
            while (thread.getState() != Thread.State.BLOCKED) {
                assertTrue(thread.isAlive());
                Thread.onSpinWait();
            }
        }
        assertEquals(List.of(START_BOTH), syncs);
        goOn.countDown();
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of(START_BOTH, END_BOTH), syncs.subList(0, 2));
        assertEquals(2 + 8, syncs.size());
        assertEquals(1, Collections.frequency(syncs, START_BOTH));
    }

    /** A device may read adopted memory. A caller that only reads need not wait for that. */
    @Test
    void the_first_cpu_access_of_an_adopted_dma_buf_has_the_requested_direction() {
        goOn.countDown();
        DmaBufSync sync = DmaBufSync.ofAdopted(slow, 4096, DmaBufExporter.UNKNOWN);
        sync.begin(3, Access.READ);
        sync.end(3, Access.READ);
        sync.begin(3, Access.WRITE);
        sync.end(3, Access.WRITE);
        assertEquals(List.of(1L, 5L, 2L, 6L), syncs);
    }

    @Test
    void during_the_first_cpu_access_of_a_possible_udmabuf_no_other_begins() throws InterruptedException {
        DmaBufSync sync = DmaBufSync.ofAdopted(slow, 4096, DmaBufExporter.UNKNOWN);
        Thread first = Thread.ofPlatform().start(() -> sync.begin(3, Access.READ));
        inside.await();
        Thread second = Thread.ofPlatform().start(() -> sync.begin(3, Access.WRITE));
        while (second.getState() != Thread.State.BLOCKED) {
            assertTrue(second.isAlive());
            Thread.onSpinWait();
        }
        assertEquals(List.of(1L), syncs);
        goOn.countDown();
        first.join();
        second.join();
        assertEquals(List.of(1L, 2L), syncs);
    }

    @Test
    void a_dma_buf_that_needs_no_first_cpu_access_has_none() {
        goOn.countDown();
        DmaBufSync sync = new DmaBufSync(slow, "camera", 4096, true);
        sync.prepare(3);
        assertEquals(List.of(), syncs);
        sync.begin(3, Access.READ);
        sync.end(3, Access.READ);
        assertEquals(List.of(1L, 5L), syncs);
    }
}
