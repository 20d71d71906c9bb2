// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.ReturnSignal;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.account.UsageSnapshot;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.OpenResource;
import org.dmabuf.heap.broker.buffer.SharedBuffer;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.service.ClientBroker;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Tests of failures while a resource is closed: each step is done exactly once. */
class EndsOnceTest {
    private static final long SIZE = 4096;
    /** More stack frames than any call of the broker uses. */
    private static final int DEEPEST = 400;

    private static final long STACK = 256 << 10;

    private final BrokerParts broker = new BrokerParts();
    private final List<FakeMemory> made = new ArrayList<>();
    /** Memory of a heap whose own code may lack stack, so that it is unknown whether a call reached it. */
    private final List<FakeMemory> deep = new ArrayList<>();

    @AfterEach
    void nothing_is_left() {
        broker.events.releaseFails = null;
        broker.close();
        for (FakeMemory memory : deep) {
            assertTrue(memory.count("release") <= 1 && memory.count("end WRITE") <= 1, () -> "" + memory.calls());
        }
        for (FakeMemory memory : made) {
            assertEquals(1, memory.count("release"), () -> memory.calls().toString());
            assertTrue(memory.released(), () -> memory.calls().toString());
            assertEquals(
                    begun(memory, "map "),
                    memory.count("unmap"),
                    () -> memory.calls().toString());
            assertEquals(
                    begun(memory, "begin "),
                    begun(memory, "end "),
                    () -> memory.calls().toString());
        }
        assertEquals(0, broker.client.account().snapshot().liveBytes());
        assertTrue(broker.client.account().settled());
    }

    private static long begun(FakeMemory memory, String call) {
        return memory.calls().stream().filter(one -> one.startsWith(call)).count();
    }

    private RegisteredHeap heap() {
        return heap(made);
    }

    private RegisteredHeap heap(List<FakeMemory> all) {
        return broker.heap("camera", new FakeHeap(request -> {
            FakeMemory memory = new FakeMemory(request.size());
            all.add(memory);
            return memory;
        }));
    }

    static Stream<Error> errors() {
        return Stream.of(new OutOfMemoryError("made up"), new StackOverflowError());
    }

    @ParameterizedTest
    @MethodSource("errors")
    void the_reaper_finishes_a_close_that_failed_after_the_release(Error error) {
        RegisteredHeap heap = heap();
        broker.events.releaseFails = error;
        broker.allocate(SIZE).close();
        broker.events.releaseFails = null;
        Await.until("the charge ends", () -> heap.account().buffers() == 0);
    }

    @ParameterizedTest
    @MethodSource("errors")
    void the_stop_of_a_bundle_takes_everything_back_although_each_end_fails(Error error) {
        RegisteredHeap heap = heap();
        for (int i = 0; i < 100; i++) {
            BufferReference reference = broker.allocate(SIZE);
            reference.newReference();
            reference.beginCpuAccess(Access.READ);
        }
        broker.events.releaseFails = error;
        broker.client.stop("its bundle has stopped");
        broker.events.releaseFails = null;
        Await.until("all charges end", () -> heap.account().buffers() == 0);
    }

    @Test
    void a_resource_that_cannot_be_taken_back_delays_no_other_and_is_taken_back_at_the_next_event() {
        FakeBundle camera = new FakeBundle("org.example.camera");
        ClientBroker own = (ClientBroker) broker.clients.getService(camera.bundle(), null);
        RegisteredHeap heap = heap();
        boolean[] fails = {true};
        int[] reclaimed = new int[1];
        own.owner().keep(new OpenResource() {
            @Override
            public void end() {
                reclaimed[0]++;
            }

            @Override
            public Reaper reclaim() {
                if (fails[0]) {
                    throw new OutOfMemoryError("made up");
                }
                reclaimed[0]++;
                return null;
            }
        });
        for (int i = 0; i < 20; i++) {
            own.allocate(AllocationRequest.of(SIZE));
        }
        camera.stop();
        broker.clients.bundleChanged(null);
        Await.until("the other buffers are back", () -> heap.account().buffers() == 0);
        assertEquals(0, reclaimed[0]);
        fails[0] = false;
        broker.clients.bundleChanged(null);
        broker.clients.bundleChanged(null);
        assertEquals(1, reclaimed[0]);
    }

    /**
     * Runs an action at every depth of a stack up to its end, and then again with enough stack. The second run does the
     * steps that lacked stack.
     */
    private void atEveryDepth(Runnable before, Runnable what) {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread thread = new Thread(
                null,
                () -> {
                    try {
                        int end = depth();
                        for (int depth = end - DEEPEST; depth <= end + DEEPEST; depth++) {
                            before.run();
                            try {
                                down(depth, what);
                            } catch (StackOverflowError e) {
                                // The caller repeats the close with enough stack.
                            }
                            what.run();
                        }
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                },
                "small",
                STACK);
        thread.setDaemon(true);
        thread.start();
        Await.until("it has ended", () -> !thread.isAlive());
        assertEquals(null, failure.get());
    }

    private static int depth() {
        int[] reached = new int[1];
        try {
            down(Integer.MAX_VALUE, () -> {}, reached);
        } catch (StackOverflowError e) {
            // The error ends the measurement.
        }
        return reached[0];
    }

    private static void down(int depth, Runnable what, int[] reached) {
        reached[0]++;
        if (depth > 0) {
            down(depth - 1, what, reached);
        } else {
            what.run();
        }
    }

    private static void down(int depth, Runnable what) {
        down(depth, what, new int[1]);
    }

    @Test
    void a_reference_that_is_closed_with_an_exhausted_stack_is_closed_once() {
        RegisteredHeap heap = heap(deep);
        DmaBuf[] now = new DmaBuf[1];
        atEveryDepth(() -> now[0] = broker.allocate(SIZE), () -> now[0].close());
        Await.until("all charges end", () -> {
            broker.heaps(); // starts a thread, because the close had no stack to start one
            return heap.account().buffers() == 0;
        });
        assertEquals(0, broker.client.stop("its bundle has stopped"));
    }

    @Test
    void a_cpu_access_that_is_closed_with_an_exhausted_stack_ends_once() {
        RegisteredHeap heap = heap(deep);
        CpuAccess[] now = new CpuAccess[1];
        atEveryDepth(
                () -> {
                    BufferReference reference = broker.allocate(SIZE);
                    now[0] = reference.beginCpuAccess(Access.WRITE);
                    reference.close();
                },
                () -> now[0].close());
        Await.until("all charges end", () -> {
            broker.heaps(); // starts a thread, because the close had no stack to start one
            return heap.account().buffers() == 0;
        });
        assertEquals(0, broker.client.stop("its bundle has stopped"));
    }

    @Test
    void a_closed_reference_does_not_keep_the_heaps_buffer_reachable() {
        List<DmaBuf> kept = new ArrayList<>();
        WeakReference<FakeMemory> memory = closedOf(kept);
        Await.untilCollected("the heap's buffer is collected", () -> memory.refersTo(null));
        DmaBuf closed = kept.getFirst();
        assertEquals(SIZE, closed.size());
        assertEquals("vendor", closed.heapName());
        assertThrows(IllegalStateException.class, closed::inode);
    }

    /** Separate method, so that no stack frame keeps the heap reachable. */
    private WeakReference<FakeMemory> closedOf(List<DmaBuf> kept) {
        FakeHeap exporter = new FakeHeap();
        RegisteredHeap heap = broker.heap("vendor", exporter);
        DmaBuf buffer = broker.allocate(SIZE);
        kept.add(buffer);
        buffer.close();
        broker.remove(heap);
        return new WeakReference<>(exporter.memory());
    }

    @Test
    void a_cpu_access_that_waits_for_a_device_is_counted() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        broker.heap("camera", new FakeHeap(request -> {
            FakeMemory memory = new FakeMemory(request.size()) {
                @Override
                public void beginCpuAccess(Access access) {
                    inside.countDown();
                    try {
                        assertTrue(goOn.await(30, TimeUnit.SECONDS));
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    super.beginCpuAccess(access);
                }
            };
            made.add(memory);
            return memory;
        }));
        BufferReference reference = broker.allocate(SIZE);
        HeapMonitor monitor = broker.monitor();
        Thread waits = Thread.ofPlatform()
                .daemon()
                .start(() -> reference.beginCpuAccess(Access.READ).close());
        assertTrue(inside.await(30, TimeUnit.SECONDS));
        assertEquals(1, monitor.buffers().getFirst().cpuAccesses());
        assertEquals(1, monitor.buffers().getFirst().references());
        goOn.countDown();
        waits.join();
        assertEquals(0, monitor.buffers().getFirst().cpuAccesses());
        reference.close();
    }

    @Test
    void a_cpu_access_that_the_heap_refuses_is_not_counted() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public void beginCpuAccess(Access access) {
                throw new IllegalStateException("made up");
            }
        };
        made.add(memory);
        broker.heap("camera", new FakeHeap(request -> memory));
        try (BufferReference reference = broker.allocate(SIZE)) {
            assertThrows(HeapException.class, () -> reference.beginCpuAccess(Access.READ));
            assertEquals(0, broker.monitor().buffers().getFirst().cpuAccesses());
        }
    }

    /** Exception whose text is needed for the log and for the client's message. */
    private static final class Unspeakable extends RuntimeException {
        private static final long serialVersionUID = 1L;

        @Override
        public String getMessage() {
            throw new IllegalStateException("made up");
        }
    }

    @Test
    void a_failure_whose_message_also_fails_leaves_nothing_behind() {
        RegisteredHeap heap = broker.heap("camera", new FakeHeap(request -> {
            FakeMemory memory = new FakeMemory(request.size()) {
                @Override
                public void unmap(MemorySegment mapping) {
                    super.unmap(mapping);
                    throw new Unspeakable();
                }

                @Override
                public void endCpuAccess(Access access) {
                    super.endCpuAccess(access);
                    throw new Unspeakable();
                }

                @Override
                public void release() {
                    super.release();
                    throw new Unspeakable();
                }
            };
            made.add(memory);
            return memory;
        }));
        BufferReference reference = broker.allocate(SIZE);
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ, arena);
        }
        CpuAccess bracket = reference.beginCpuAccess(Access.READ);
        HeapException refusal = assertThrows(HeapException.class, bracket::close);
        assertTrue(refusal.getMessage().contains(Unspeakable.class.getName()), refusal.getMessage());
        reference.close();
        Await.until("the charge ends", () -> heap.account().buffers() == 0);
        broker.heap("other", new FakeHeap(request -> {
            throw new Unspeakable();
        }));
        HeapException failed = assertThrows(
                HeapException.class,
                () -> broker.allocate(AllocationRequest.of(SIZE).withHeaps("other")));
        assertTrue(failed.getMessage().contains(Unspeakable.class.getName()), failed.getMessage());
    }

    @Test
    void a_charge_that_ends_or_lingers_twice_is_counted_once() {
        HeapAccount account = new HeapAccount("camera");
        Charge charge = new Charge(UsageSums.share(account), "", 0, List.of(), new ReturnSignal());
        FakeMemory memory = new FakeMemory(SIZE);
        SharedBuffer buffer = new SharedBuffer(
                memory,
                SIZE,
                1,
                HeapDescription.refused("camera", Map.of(), "org.example.camera"),
                charge,
                ExportMode.READ_WRITE,
                Optional.empty(),
                broker.services);
        charge.begin(buffer);
        charge.linger();
        charge.linger();
        assertEquals(new UsageSnapshot(0, 0, 1, SIZE, SIZE, Rules.UNLIMITED, 1, SIZE), account.snapshot());
        charge.end();
        charge.end();
        assertEquals(new UsageSnapshot(0, 0, 0, 0, SIZE, Rules.UNLIMITED, 1, SIZE), account.snapshot());
        assertTrue(charge.share().client().settled());
    }

    @Test
    void a_publication_that_cannot_be_registered_keeps_no_buffer() {
        RegisteredHeap heap = heap();
        FakeBundle camera = new FakeBundle("org.example.camera"); // registers nothing
        ClientBroker own = (ClientBroker) broker.clients.getService(camera.bundle(), null);
        try (DmaBuf buffer = own.allocate(AllocationRequest.of(SIZE))) {
            assertThrows(UnsupportedOperationException.class, () -> own.publish(buffer, "front"));
        }
        assertEquals(0, heap.account().buffers());
    }

    @Test
    void a_descriptor_that_was_left_open_is_closed_once_at_the_stop() {
        RegisteredHeap heap = broker.memfd("system");
        BufferReference reference = broker.allocate(SIZE);
        OwnedFd left = reference.exportFd();
        OwnedFd closed = reference.exportFd();
        OwnedFd given = reference.exportFd();
        closed.close();
        int number = given.detach();
        assertEquals(2, broker.client.stop("its bundle has stopped"));
        assertThrows(IllegalStateException.class, left::fd);
        left.close();
        OwnedFd.of(number, Syscalls.linux()::close).close();
        Await.until("the charge ends", () -> {
            broker.holders.look();
            return heap.account().buffers() == 0;
        });
    }
}
