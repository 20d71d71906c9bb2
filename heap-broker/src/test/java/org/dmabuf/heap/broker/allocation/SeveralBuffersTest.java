// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeBundle;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of requests for several buffers: all come from one heap, or the request fails. */
class SeveralBuffersTest {
    private static final AllocationRequest PAGE = AllocationRequest.of(4096);

    private final BrokerParts broker = new BrokerParts();
    private final FakeBundle camera = new FakeBundle("org.example.camera");
    private final List<FakeMemory> made = Collections.synchronizedList(new ArrayList<>());

    @AfterEach
    void nothing_is_left() {
        broker.clients.stopAll();
        broker.close();
        for (RegisteredHeap heap : broker.registry.present()) {
            assertTrue(heap.gate().empty(), heap::toString);
            assertSettled(heap.account());
        }
        broker.ledger.clients().forEach(client -> assertTrue(client.settled(), client.id()::toString));
        for (FakeMemory memory : made) {
            assertEquals(List.of("release"), memory.calls());
        }
    }

    private static void assertSettled(HeapAccount account) {
        assertEquals(0, account.buffers(), account.heap());
        assertEquals(0, account.bytes(), account.heap());
    }

    private HeapBroker own() {
        return broker.clients.getService(camera.bundle(), null);
    }

    /** Registers a heap that has this many buffers. */
    private RegisteredHeap having(String name, int buffers, Map<String, ?> properties) {
        AtomicInteger left = new AtomicInteger(buffers);
        return broker.heap(
                name,
                new FakeHeap(request -> {
                    if (left.getAndDecrement() <= 0) {
                        left.incrementAndGet();
                        throw HeapException.of(Errno.ENOMEM, name, "it is full");
                    }
                    FakeMemory memory = new FakeMemory(request.size()) {
                        @Override
                        public void release() {
                            super.release();
                            left.incrementAndGet();
                        }
                    };
                    made.add(memory);
                    return memory;
                }),
                properties);
    }

    @Test
    void all_come_from_one_heap_each_with_its_own_reference() {
        RegisteredHeap heap = having("system", 4, Map.of());
        List<DmaBuf> buffers = own().allocate(PAGE.withName("frame"), 4);
        assertEquals(4, buffers.stream().distinct().count());
        assertEquals(4, heap.account().buffers());
        assertThrows(UnsupportedOperationException.class, () -> buffers.removeFirst());
        buffers.getFirst().close();
        assertEquals(3, heap.account().buffers());
        assertEquals(1, broker.events.allocations.size());
    }

    @Test
    void buffers_of_a_heap_that_has_only_some_are_released_and_the_next_heap_is_asked() {
        RegisteredHeap small = having("small", 3, Map.of(HeapProperties.PRIORITY, 1));
        RegisteredHeap large = having("large", 4, Map.of());
        List<DmaBuf> buffers = own().allocate(PAGE, 4);
        buffers.forEach(buffer -> assertEquals("large", buffer.heapName()));
        assertSettled(small.account());
        assertEquals(4, large.account().buffers());
        assertEquals("small", own().allocate(PAGE).heapName());
    }

    @Test
    void if_no_heap_has_all_nothing_is_held() {
        RegisteredHeap one = having("one", 3, Map.of());
        RegisteredHeap two = having("two", 2, Map.of());
        HeapException refusal = assertThrows(HeapShortageException.class, () -> own().allocate(PAGE, 4));
        assertEquals(
                List.of("one", "two"),
                refusal.attempts().stream().map(attempt -> attempt.heap()).toList());
        assertSettled(one.account());
        assertSettled(two.account());
        assertEquals(3, own().allocate(PAGE, 3).size());
    }

    @Test
    void a_heaps_quota_for_only_some_leads_to_the_next_heap() {
        RegisteredHeap small = having("small", 9, Map.of(HeapProperties.PRIORITY, 1));
        having("large", 9, Map.of());
        broker.ledger.apply(BrokerParts.rules(new String[] {"small=8K"}, new String[0], new String[0], new String[0]));
        assertEquals("large", own().allocate(PAGE, 3).getFirst().heapName());
        assertSettled(small.account());
        assertEquals("small", own().allocate(PAGE, 2).getFirst().heapName());
    }

    @Test
    void a_clients_quota_for_only_some_ends_the_request_with_nothing_held() {
        RegisteredHeap one = having("one", 9, Map.of(HeapProperties.PRIORITY, 1));
        FakeHeap two = new FakeHeap();
        broker.heap("two", two);
        broker.ledger.apply(BrokerParts.rules(new String[0], new String[] {"*=10K"}, new String[0], new String[0]));
        assertThrows(HeapShortageException.class, () -> own().allocate(PAGE, 3));
        assertSettled(one.account());
        assertEquals(List.of(), two.asked());
        assertEquals(2, own().allocate(PAGE, 2).size());
    }

    @Test
    void a_refusal_in_the_middle_ends_the_request_with_nothing_held() {
        AtomicInteger asked = new AtomicInteger();
        RegisteredHeap heap = broker.heap("system", new FakeHeap(request -> {
            if (asked.incrementAndGet() == 3) {
                throw HeapException.of(Errno.EACCES, "system", "no");
            }
            FakeMemory memory = new FakeMemory(request.size());
            made.add(memory);
            return memory;
        }));
        assertEquals(
                Errno.EACCES,
                assertThrows(HeapException.class, () -> own().allocate(PAGE, 5)).errno());
        assertEquals(3, asked.get());
        assertSettled(heap.account());
    }

    @Test
    void a_client_that_stops_in_the_middle_keeps_nothing() {
        HeapBroker own = own();
        AtomicInteger asked = new AtomicInteger();
        RegisteredHeap heap = broker.heap("system", new FakeHeap(request -> {
            if (asked.incrementAndGet() == 2) {
                camera.stop();
                broker.clients.bundleChanged(null);
            }
            FakeMemory memory = new FakeMemory(request.size());
            made.add(memory);
            return memory;
        }));
        assertThrows(IllegalStateException.class, () -> own.allocate(PAGE, 4));
        assertEquals(4, made.size());
        assertSettled(heap.account());
    }

    @Test
    void an_out_of_memory_error_in_the_middle_loses_nothing_and_leaves_the_gate() {
        AtomicInteger asked = new AtomicInteger();
        RegisteredHeap heap = broker.heap("system", new FakeHeap(request -> {
            if (asked.incrementAndGet() == 3) {
                throw new OutOfMemoryError("made up");
            }
            FakeMemory memory = new FakeMemory(request.size());
            made.add(memory);
            return memory;
        }));
        assertThrows(OutOfMemoryError.class, () -> own().allocate(PAGE, 4));
        assertSettled(heap.account());
    }

    @Test
    void an_invalid_count_is_refused_before_any_heap_is_called() {
        FakeHeap heap = new FakeHeap();
        broker.heap("system", heap);
        for (int count : new int[] {0, -1, HeapBroker.MOST_AT_ONCE + 1, Integer.MAX_VALUE}) {
            IllegalArgumentException refusal =
                    assertThrows(IllegalArgumentException.class, () -> own().allocate(PAGE, count));
            assertEquals("invalid count = " + count + ": expected 1 to 1024", refusal.getMessage());
        }
        assertEquals(List.of(), heap.asked());
        assertEquals(1024, own().allocate(AllocationRequest.of(1), 1024).size());
    }

    @Test
    void a_count_of_one_is_one() {
        having("system", 1, Map.of());
        BufferReference[] all = broker.allocate(PAGE, 1);
        assertEquals(1, all.length);
        assertInstanceOf(BufferReference.class, all[0]).close();
    }
}
