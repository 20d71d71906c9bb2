// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.release.Piece;
import org.dmabuf.heap.broker.release.Reaper;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Tests of memory that a client has closed while another thread has not unmapped it yet. It must not count as missing.
 */
class ShortageTest {
    private static final long SIZE = 4096;

    private final BrokerParts broker = new BrokerParts();
    /** Whether the only buffer of the heap of {@link #one} is allocated. */
    private final AtomicBoolean out = new AtomicBoolean();

    private final AtomicInteger refused = new AtomicInteger();

    @AfterEach
    void nothing_is_left() {
        broker.close();
        for (RegisteredHeap heap : broker.registry.present()) {
            assertEquals(0, heap.account().buffers(), heap::toString);
        }
    }

    /** Memory of a heap that has one buffer. */
    private class Only extends FakeMemory {
        Only() {
            super(SIZE);
        }

        @Override
        public void release() {
            super.release();
            out.set(false);
        }
    }

    /** A heap that has one buffer. */
    private FakeHeap one(Runnable whenRefused) {
        FakeHeap heap = new FakeHeap(_ -> {
            if (!out.compareAndSet(false, true)) {
                refused.incrementAndGet();
                whenRefused.run();
                throw HeapException.of(Errno.ENOMEM, "one", "its buffer is in use");
            }
            return new Only();
        });
        broker.heap("one", heap);
        return heap;
    }

    /** Keeps the heap's reaper busy until the latch opens. Work that is submitted meanwhile waits behind that. */
    private void busyUntil(CountDownLatch moment) {
        busyUntil("one", moment);
    }

    private void busyUntil(String heap, CountDownLatch moment) {
        CountDownLatch begun = new CountDownLatch(1);
        broker.registry.routes().named(heap).account().reaper().submit(Piece.of(() -> {
            begun.countDown();
            await(moment);
        }));
        await(begun);
    }

    private static void await(CountDownLatch moment) {
        try {
            assertTrue(moment.await(30, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private void useAndClose() {
        BufferReference used = broker.allocate(AllocationRequest.of(SIZE).withHeaps("one"));
        try (Arena arena = Arena.ofConfined()) {
            used.map(Access.READ_WRITE, arena);
        }
        used.close();
    }

    @Test
    void a_heap_whose_buffer_awaits_its_unmap_is_asked_again_after_the_unmap() {
        CountDownLatch released = new CountDownLatch(1);
        FakeHeap heap = one(released::countDown);
        busyUntil(released);
        useAndClose();
        FakeMemory first = heap.memory();
        try (BufferReference again = broker.allocate(SIZE)) {
            assertTrue(first.released());
            assertEquals("one", again.heapName());
        }
        assertEquals(1, refused.get());
        assertEquals(Map.of(), broker.client.account().failures().byCause());
    }

    @Test
    void a_heap_whose_buffer_is_being_unmapped_is_asked_again_after_the_unmap() {
        CountDownLatch moment = new CountDownLatch(1);
        CountDownLatch begun = new CountDownLatch(1);
        FakeHeap heap = new FakeHeap(_ -> {
            if (!out.compareAndSet(false, true)) {
                refused.incrementAndGet();
                moment.countDown();
                throw HeapException.of(Errno.ENOMEM, "one", "its buffer is in use");
            }
            return new Only() {
                @Override
                public void unmap(MemorySegment mapping) {
                    super.unmap(mapping);
                    begun.countDown();
                    ShortageTest.await(moment);
                }
            };
        });
        broker.heap("one", heap);
        useAndClose();
        await(begun); // by the reaper; no caller can help it any more
        broker.allocate(SIZE).close();
        assertEquals(1, refused.get());
    }

    @Test
    void a_client_at_its_quota_is_not_refused_while_a_release_is_pending() throws Exception {
        broker.heap("one", new FakeHeap());
        broker.ledger.apply(BrokerParts.rules(new String[0], new String[] {"*=4K"}, new String[0], new String[0]));
        CountDownLatch released = new CountDownLatch(1);
        busyUntil(released);
        useAndClose();
        Thread client = Thread.currentThread();
        Thread.ofPlatform().daemon().start(() -> {
            Await.until("the client waits", () -> client.getState() == Thread.State.TIMED_WAITING);
            released.countDown();
        });
        broker.allocate(SIZE).close();
    }

    @Test
    void a_refusal_does_not_wait_for_a_hanging_call_in_another_heap() {
        one(() -> {});
        broker.heap("bad", new FakeHeap());
        broker.heap("two", new FakeHeap());
        CountDownLatch goOn = new CountDownLatch(1);
        busyUntil("bad", goOn);
        AtomicReference<Thread> second = new AtomicReference<>();
        Reaper bad = broker.registry.routes().named("bad").account().reaper();
        bad.submit(Piece.of(() -> second.set(Thread.currentThread())));
        try (BufferReference held = broker.allocate(AllocationRequest.of(SIZE).withHeaps("one"))) {
            broker.allocate(AllocationRequest.of(SIZE).withHeaps("one", "two")).close();
            assertEquals(0, bad.done());
            assertEquals(SIZE, held.size());
        }
        goOn.countDown();
        Await.until("the second is done", () -> second.get() != null);
        assertNotEquals(Thread.currentThread(), second.get());
        assertEquals(1, refused.get());
    }

    @Test
    void a_client_at_its_quota_waits_only_for_heaps_that_have_its_buffers() {
        broker.heap("one", new FakeHeap());
        broker.heap("two", new FakeHeap());
        broker.heap("bad", new FakeHeap());
        broker.ledger.apply(BrokerParts.rules(new String[0], new String[] {"*=4K"}, new String[0], new String[0]));
        CountDownLatch goOn = new CountDownLatch(1);
        busyUntil("bad", goOn);
        CountDownLatch released = new CountDownLatch(1);
        busyUntil("one", released);
        useAndClose();
        Thread client = Thread.currentThread();
        Thread.ofPlatform().daemon().start(() -> {
            Await.until("the client waits", () -> client.getState() == Thread.State.TIMED_WAITING);
            released.countDown();
        });
        broker.allocate(AllocationRequest.of(SIZE).withHeaps("two")).close();
        goOn.countDown();
    }

    @Test
    void a_full_heap_is_asked_once_if_no_release_was_pending() {
        one(() -> {});
        BufferReference held = broker.allocate(SIZE);
        assertEquals(
                Errno.ENOMEM,
                assertThrows(HeapException.class, () -> broker.allocate(SIZE)).errno());
        assertEquals(1, refused.get());
        held.close();
    }

    @Test
    void a_heap_that_left_during_the_wait_is_not_entered_again() {
        AtomicBoolean left = new AtomicBoolean();
        CountDownLatch released = new CountDownLatch(1);
        FakeHeap heap = one(() -> {
            if (left.compareAndSet(false, true)) {
                broker.remove(broker.registry.present().getFirst());
            }
            released.countDown();
        });
        busyUntil(released);
        useAndClose();
        assertThrows(HeapException.class, () -> broker.allocate(SIZE));
        assertEquals(2, heap.asked().size()); // the one that was used, and the one that was refused
    }
}
