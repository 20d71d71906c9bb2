// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.release.Piece;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Tests of a heap whose code hangs. It affects only its own clients, is listed as hanging, and delays no stop for long.
 */
class HangingHeapTest {
    private static final long SIZE = 4096;
    /**
     * Time limit of a stop. A stop that waits a fraction of a second for each buffer, or once for each heap, exceeds
     * it.
     */
    private static final Duration LONG = Duration.ofSeconds(25);

    private final BrokerParts broker = new BrokerParts(Duration.ofMillis(200));
    private final CountDownLatch goOn = new CountDownLatch(1);
    /** Threads that have entered a hanging call. */
    private final Set<Thread> hung = ConcurrentHashMap.newKeySet();

    @AfterEach
    void nothing_is_left() {
        goOn.countDown();
        broker.client.stop("the test is over");
        Await.until("all buffers are back", () -> broker.ledger.heaps().stream().allMatch(heap -> heap.buffers() == 0));
        broker.close();
        assertFalse(hung.contains(Thread.currentThread()));
    }

    private void hang() {
        hung.add(Thread.currentThread());
        try {
            assertTrue(goOn.await(120, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private class HangsInUnmap extends FakeMemory {
        HangsInUnmap(HeapRequest request) {
            super(request.size());
        }

        @Override
        public void unmap(MemorySegment mapping) {
            hang();
            super.unmap(mapping);
        }
    }

    private class HangsInRelease extends FakeMemory {
        HangsInRelease(HeapRequest request) {
            super(request.size());
        }

        @Override
        public void release() {
            hang();
            super.release();
        }
    }

    private BufferReference from(String heap) {
        return broker.allocate(AllocationRequest.of(SIZE).withHeaps(heap));
    }

    private void mapAndClose(String heap) {
        try (BufferReference reference = from(heap);
                Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ_WRITE, arena);
        }
    }

    private static void within(Duration time, Runnable what) throws InterruptedException {
        Thread does = Thread.ofPlatform().daemon().start(what);
        assertTrue(does.join(time), "it has not ended");
    }

    @Test
    void hanging_unmaps_do_not_affect_another_heap() {
        broker.heap("bad", new FakeHeap(HangsInUnmap::new));
        AtomicBoolean out = new AtomicBoolean();
        broker.heap("system", new FakeHeap(request -> {
            if (!out.compareAndSet(false, true)) {
                throw HeapException.of(Errno.ENOMEM, "system", "its buffer is in use");
            }
            return new FakeMemory(request.size()) {
                @Override
                public void release() {
                    super.release();
                    out.set(false);
                }
            };
        }));
        for (int i = 0; i < 20; i++) {
            mapAndClose("bad");
        }
        for (int i = 0; i < 20; i++) {
            mapAndClose("system");
        }
        assertEquals(20, broker.registry.routes().named("bad").account().buffers());
    }

    @Test
    void a_client_of_another_heap_does_none_of_the_hanging_heaps_work() {
        broker.heap("bad", new FakeHeap(HangsInUnmap::new));
        broker.heap("system", new FakeHeap());
        for (int i = 0; i < 256; i++) { // with more, the heap's own clients would hang
            mapAndClose("bad");
        }
        Reaper bad = broker.registry.routes().named("bad").account().reaper();
        for (int i = 0; i < 100; i++) {
            bad.submit(Piece.of(this::hang));
        }
        for (int i = 0; i < 100; i++) {
            mapAndClose("system");
        }
        assertFalse(hung.contains(Thread.currentThread()));
    }

    @Test
    void a_mapping_is_refused_while_all_of_the_heaps_threads_hang() {
        broker.heap("bad", new FakeHeap(HangsInUnmap::new));
        Reaper bad = broker.registry.routes().named("bad").account().reaper();
        for (int i = 0; i < 300; i++) {
            bad.submit(Piece.of(this::hang));
        }
        Await.until("all of its threads hang", () -> bad.hanging().contains(", as have 3 more"));
        try (BufferReference reference = from("bad");
                Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ, arena));
            assertEquals(Errno.EBUSY, refusal.errno());
            assertEquals(Optional.of("bad"), refusal.heap());
            assertTrue(
                    refusal.getMessage().contains("it cannot be mapped, because the work has hung in its code for "),
                    refusal.getMessage());
        }
    }

    @Test
    void it_is_listed_as_hanging_with_the_call_and_serves_again_when_the_call_returns() {
        broker.heap("bad", new FakeHeap(HangsInUnmap::new));
        broker.heap("system", new FakeHeap());
        BufferReference reference =
                broker.allocate(AllocationRequest.of(SIZE).withHeaps("bad").withName("frame"));
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ, arena);
        }
        reference.close();
        Await.until("it hangs", () -> state("bad") == HeapState.HANGING);
        String reason = broker.info("bad", HeapState.HANGING).reason().orElseThrow();
        assertTrue(
                reason.startsWith("the end of a mapping of a buffer 'frame' of 4 KiB from heap 'bad' has hung in its"
                        + " code for "),
                reason);
        assertEquals(HeapState.SERVING, state("system"));
        goOn.countDown();
        Await.until("it serves", () -> state("bad") == HeapState.SERVING);
        assertEquals(Optional.empty(), broker.info("bad", HeapState.SERVING).reason());
    }

    private HeapState state(String heap) {
        return broker.heaps().stream()
                .filter(info -> info.name().equals(heap))
                .map(HeapInfo::state)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void a_heap_that_left_is_listed_with_its_hanging_call() {
        RegisteredHeap bad = broker.heap("bad", new FakeHeap(HangsInRelease::new));
        BufferReference reference = from("bad");
        broker.client.stop("its bundle has stopped");
        broker.remove(bad);
        Await.until(
                "its reason says so",
                () -> broker.info("bad", HeapState.DEPARTED)
                        .reason()
                        .orElseThrow()
                        .startsWith(
                                "it has left; its buffers are still in use; the release of a buffer of 4 KiB from heap"
                                        + " 'bad'"));
        assertThrows(IllegalStateException.class, reference::newReference);
    }

    @Test
    void a_new_heap_with_the_name_of_a_hanging_one_does_not_wait_for_it() {
        RegisteredHeap bad = broker.heap("camera", new FakeHeap(HangsInRelease::new));
        for (int i = 0; i < 10; i++) {
            from("camera");
        }
        broker.client.stop("its bundle has stopped");
        Await.until("it hangs", () -> bad.account().reaper().hangs());
        broker.remove(bad);
        FakeHeap updated = new FakeHeap();
        broker.heap("camera", updated);
        Client other = new Client(broker.ledger.enter(BrokerParts.bundle("org.example.other")), broker.leaks);
        broker.allocator.allocate(other, AllocationRequest.of(SIZE).withHeaps("camera"));
        other.stop("its bundle has stopped");
        assertTrue(updated.memory().released());
        assertEquals(HeapState.SERVING, state("camera"));
    }

    @Test
    void the_stop_of_a_bundle_with_ten_thousand_of_its_buffers_ends() throws InterruptedException {
        broker.heap("bad", new FakeHeap(HangsInRelease::new));
        FakeHeap system = new FakeHeap();
        broker.heap("system", system);
        for (int i = 0; i < 10_000; i++) {
            from("bad");
        }
        from("system");
        within(LONG, () -> broker.client.stop("its bundle has stopped"));
        assertTrue(system.memory().released());
        assertEquals(10_000, broker.registry.routes().named("bad").account().buffers());
        assertEquals(4, hung.size());
    }

    @Test
    void the_stop_of_a_bundle_with_buffers_of_64_hanging_heaps_ends() throws InterruptedException {
        for (int i = 0; i < 64; i++) {
            broker.heap("bad-" + i, new FakeHeap(HangsInRelease::new));
            from("bad-" + i);
        }
        within(LONG, () -> broker.client.stop("its bundle has stopped"));
    }

    @Test
    void the_stop_of_a_bundle_that_published_or_opened_its_buffers_ends() throws InterruptedException {
        broker.heap("bad", new FakeHeap(HangsInRelease::new));
        FakeBundle camera = new FakeBundle("org.example.camera").registering();
        FakeBundle display = new FakeBundle("org.example.display");
        HeapBroker own = broker.clients.getService(camera.bundle(), null);
        for (int i = 0; i < 100; i++) {
            DmaBuf buffer = own.allocate(AllocationRequest.of(SIZE));
            FakeBundle.published(own.publish(buffer, "front"), display).open();
            buffer.close();
        }
        camera.stop();
        within(LONG, () -> broker.clients.bundleChanged(null));
        display.stop();
        within(LONG, () -> broker.clients.bundleChanged(null));
        assertEquals(100, broker.registry.routes().named("bad").account().buffers());
    }

    @Test
    void the_stop_of_the_broker_ends() throws InterruptedException {
        for (int i = 0; i < 64; i++) {
            broker.heap("bad-" + i, new FakeHeap(HangsInUnmap::new));
            mapAndClose("bad-" + i);
        }
        within(LONG, broker.ledger::stop);
    }

    @Test
    void a_rejected_buffer_whose_release_hangs_does_not_delay_the_caller() {
        broker.heap("bad", new FakeHeap(request -> new HangsInRelease(request) {
            @Override
            public long size() {
                return 1;
            }
        }));
        assertEquals(
                Errno.EIO, assertThrows(HeapException.class, () -> from("bad")).errno());
    }

    @Test
    void a_hanging_usage_query_does_not_delay_a_listing_and_is_made_once_and_shown_as_old() {
        AtomicInteger asked = new AtomicInteger();
        AtomicBoolean hangs = new AtomicBoolean();
        broker.heap("bad", new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                return new FakeMemory(request.size());
            }

            @Override
            public HeapUsage usage() {
                asked.incrementAndGet();
                if (hangs.get()) {
                    hang();
                }
                return HeapUsage.unknown().withFree(asked.get());
            }
        });
        broker.heap("system", new FakeHeap());
        HeapInfo fresh = broker.info("bad", HeapState.SERVING);
        assertEquals(1, fresh.usage().free().orElseThrow());
        assertEquals(Duration.ZERO, fresh.usageAge());
        hangs.set(true);
        for (int i = 0; i < 5; i++) {
            List<HeapInfo> heaps = broker.heaps();
            assertEquals(
                    Duration.ZERO,
                    heaps.stream()
                            .filter(heap -> heap.name().equals("system"))
                            .findFirst()
                            .orElseThrow()
                            .usageAge());
        }
        Await.until("it hangs", () -> state("bad") == HeapState.HANGING);
        HeapInfo old = broker.info("bad", HeapState.HANGING);
        assertEquals(1, old.usage().free().orElseThrow());
        assertTrue(old.usageAge().compareTo(Duration.ZERO) > 0);
        assertTrue(old.reason().orElseThrow().startsWith("the usage query of heap 'bad' has hung"), old::toString);
        assertEquals(2, asked.get());
        hangs.set(false);
        goOn.countDown();
        Await.until(
                "it answers",
                () -> state("bad") == HeapState.SERVING
                        && broker.info("bad", HeapState.SERVING).usageAge().isZero());
    }

    @Test
    void a_hanging_descriptor_call_does_not_delay_a_dump() throws InterruptedException {
        AtomicBoolean hangs = new AtomicBoolean();
        MemfdSource source = MemfdSource.open("bad", Syscalls.linux(), Headroom.machine());
        broker.heap(
                "bad",
                request -> {
                    HeapBuffer real = source.allocate(request);
                    return new HeapBuffer() {
                        @Override
                        public long size() {
                            return real.size();
                        }

                        @Override
                        public int descriptor() {
                            if (hangs.get()) {
                                hang();
                            }
                            return real.descriptor();
                        }

                        @Override
                        public MemorySegment map(Access access) {
                            return real.map(access);
                        }

                        @Override
                        public void unmap(MemorySegment mapping) {
                            real.unmap(mapping);
                        }

                        @Override
                        public void release() {
                            real.release();
                        }
                    };
                },
                Map.of());
        BufferReference reference = from("bad");
        reference.exportFd().close();
        long inode = reference.inode().orElseThrow();
        hangs.set(true);
        List<BufferRecord> records = new ArrayList<>();
        within(LONG, () -> records.addAll(broker.monitor().buffers()));
        assertEquals(inode, records.getFirst().inode().orElseThrow());
    }

    @Test
    void an_exporter_whose_equals_and_hash_code_hang_arrives_and_leaves_like_any_other() throws InterruptedException {
        HeapExporter bad = new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                return new FakeMemory(request.size());
            }

            @Override
            public boolean equals(Object other) {
                hang();
                return this == other;
            }

            @Override
            public int hashCode() {
                hang();
                return 0;
            }

            @Override
            public String toString() {
                hang();
                return "";
            }
        };
        within(LONG, () -> {
            RegisteredHeap heap = broker.heap("bad", bad);
            from("bad").close();
            assertFalse(heap.equals(broker.heap("other", bad)));
            heap.hashCode();
            broker.heaps();
            broker.remove(heap);
        });
    }
}
