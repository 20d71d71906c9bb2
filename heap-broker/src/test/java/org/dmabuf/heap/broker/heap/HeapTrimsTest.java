// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongUnaryOperator;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of trims: on a shortage, heaps are asked to release pooled memory, each on its own thread. */
class HeapTrimsTest {
    private static final AllocationRequest PAGE = AllocationRequest.of(4096);

    private final BrokerParts broker = new BrokerParts(Duration.ofMillis(200));
    private final CountDownLatch goOn = new CountDownLatch(1);
    private final List<Long> wanted = new CopyOnWriteArrayList<>();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final AtomicInteger inside = new AtomicInteger();
    private final AtomicInteger most = new AtomicInteger();
    private final AtomicInteger allocations = new AtomicInteger();
    /** Free bytes of the heap. */
    private volatile long free;

    @AfterEach
    void nothing_is_left() {
        goOn.countDown();
        broker.close();
        for (RegisteredHeap heap : broker.registry.present()) {
            assertEquals(0, heap.account().buffers(), heap::toString);
            Await.until("the gate is empty", () -> heap.gate().empty());
        }
        assertTrue(most.get() <= 1, "a heap was called by two threads at a time");
    }

    /** Heap that allocates buffers while bytes are free, and can be trimmed. */
    private HeapExporter heap(LongUnaryOperator trim) {
        return new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                allocations.incrementAndGet();
                if (request.size() > free) {
                    throw HeapException.of(Errno.ENOMEM, "pooled", "it is full");
                }
                return new FakeMemory(request.size());
            }

            @Override
            public long trim(long bytes) {
                most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                wanted.add(bytes);
                threads.add(Thread.currentThread());
                try {
                    return trim.applyAsLong(bytes);
                } finally {
                    inside.decrementAndGet();
                }
            }
        };
    }

    private long hang(long bytes) {
        try {
            goOn.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return bytes;
    }

    private void refused(AllocationRequest request) {
        assertThrows(HeapShortageException.class, () -> broker.allocate(request));
    }

    @Test
    void trimmed_memory_serves_the_request_and_the_trim_runs_on_another_thread() {
        broker.heap("pooled", heap(bytes -> free = bytes));
        broker.allocate(PAGE, 3);
        assertEquals(List.of(3 * 4096L), wanted);
        assertNotEquals(Thread.currentThread(), threads.getFirst());
    }

    @Test
    void every_serving_heap_is_trimmed_even_if_the_request_does_not_name_it() {
        broker.heap("pooled", heap(_ -> 0));
        broker.heap("other", heap(_ -> 0));
        broker.heap("none", request -> {
            throw HeapException.of(Errno.ENOMEM, "none", "it is full");
        });
        refused(PAGE.withHeaps("none"));
        assertEquals(2, wanted.size());
        assertEquals(0, allocations.get());
    }

    @Test
    void heaps_are_not_asked_again_if_the_trims_returned_nothing() {
        broker.heap("pooled", heap(_ -> 0));
        refused(PAGE);
        assertEquals(1, allocations.get());
    }

    @Test
    void an_exhausted_quota_does_not_cause_a_trim() {
        broker.heap("pooled", heap(bytes -> free = bytes));
        free = 1 << 20;
        for (String[][] quota : new String[][][] {
            {{"pooled=4K"}, {}, {}}, {{}, {"*=4K"}, {}}, {{}, {}, {"*/pooled=4K"}},
        }) {
            broker.ledger.apply(BrokerParts.rules(quota[0], quota[1], quota[2], new String[0]));
            refused(AllocationRequest.of(8192));
        }
        assertEquals(List.of(), wanted);
    }

    @Test
    void a_trim_that_throws_is_reported_and_the_request_stays_refused() {
        broker.heap("pooled", heap(_ -> {
            throw new IllegalStateException("torn");
        }));
        RecordedLog.clear();
        refused(PAGE);
        assertEquals(
                List.of("WARN heap 'pooled' failed in trim; report that to its vendor"
                        + " <java.lang.IllegalStateException: torn>"),
                RecordedLog.lines());
    }

    @Test
    void a_hanging_trim_is_called_once_and_delays_clients_of_other_heaps_by_at_most_the_bound() {
        broker.heap("pooled", heap(this::hang));
        List<Thread> clients = new ArrayList<>();
        AtomicInteger refused = new AtomicInteger();
        broker.heap("none", request -> {
            throw HeapException.of(Errno.ENOMEM, "none", "it is full");
        });
        for (int i = 0; i < 8; i++) {
            AllocationRequest request = AllocationRequest.of(4096 + i).withHeaps("none");
            clients.add(Thread.ofPlatform().daemon().start(() -> {
                try {
                    broker.allocate(request);
                } catch (HeapShortageException e) {
                    refused.incrementAndGet();
                }
            }));
        }
        Await.until("all are refused", () -> refused.get() == 8);
        Await.until(
                "it hangs",
                () -> broker.registry
                        .routes()
                        .named("pooled")
                        .account()
                        .reaper()
                        .hangs());
        refused(PAGE.withHeaps("none"));
        assertEquals(1, wanted.size());
        assertEquals(1, goOn.getCount(), "no client waited for the trim");
    }

    @Test
    void requests_that_arrive_during_a_trim_wait_for_its_result() {
        try (BrokerParts patient = new BrokerParts(Duration.ofMinutes(1))) {
            patient.heap("pooled", heap(this::hang));
            HeapTrims trims = new HeapTrims();
            List<Thread> requests = new ArrayList<>();
            AtomicInteger answered = new AtomicInteger();
            for (int i = 0; i < 8; i++) {
                requests.add(Thread.ofPlatform().daemon().start(() -> {
                    try {
                        answered.addAndGet(trims.ask(patient.registry.routes(), 4096) ? 1 : 0);
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                }));
            }
            Await.until(
                    "all wait",
                    () -> requests.stream().allMatch(thread -> thread.getState() == Thread.State.TIMED_WAITING));
            goOn.countDown();
            Await.until("all requests have ended", () -> requests.stream().noneMatch(Thread::isAlive));
            assertEquals(8, answered.get());
            assertEquals(List.of(4096L), wanted);
        }
    }

    @Test
    void a_request_for_more_than_the_running_trim_starts_another_trim() throws Exception {
        CountDownLatch first = new CountDownLatch(1);
        broker.heap("pooled", heap(bytes -> {
            first.countDown();
            Await.until("the other request has arrived", () -> allocations.get() >= 2);
            free = bytes;
            return bytes;
        }));
        Thread small = Thread.ofPlatform().daemon().start(() -> broker.allocate(PAGE));
        assertTrue(first.await(30, TimeUnit.SECONDS));
        broker.allocate(AllocationRequest.of(1 << 20));
        Await.until("the small one is served", () -> !small.isAlive());
        assertEquals(List.of(4096L, 1L << 20), wanted);
    }

    @Test
    void a_heap_that_has_left_is_not_asked() {
        RegisteredHeap[] pooled = new RegisteredHeap[1];
        broker.heap(
                "leaves",
                request -> {
                    pooled[0].gate().close(0);
                    throw HeapException.of(Errno.ENOMEM, "leaves", "it is full");
                },
                Map.of(HeapProperties.PRIORITY, 1));
        pooled[0] = broker.heap("pooled", heap(_ -> 1));
        refused(PAGE.withHeaps("leaves"));
        assertEquals(List.of(), wanted);
    }

    @Test
    void an_interrupt_ends_the_wait_for_trims() {
        broker.heap("pooled", heap(this::hang));
        Thread client = Thread.currentThread();
        Thread.ofPlatform().daemon().start(() -> {
            Await.until("the heap is asked", () -> !wanted.isEmpty());
            client.interrupt();
        });
        HeapException refusal = assertThrows(HeapException.class, () -> broker.allocate(PAGE));
        assertTrue(Thread.interrupted());
        assertEquals(Errno.EINTR, refusal.errno());
        assertFalse(refusal instanceof HeapShortageException);
    }
}
