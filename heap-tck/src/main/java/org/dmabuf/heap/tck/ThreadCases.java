// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about several threads that use a heap or a buffer at once, about an interrupted one, and about new ones. */
final class ThreadCases {
    private static final int THREADS = 100;
    private static final int ROUNDS = 10;
    private static final int HELD = 4;
    private static final long LARGEST_HELD = 64 << 10;

    private static final int SHARING = 8;
    private static final int LEAST_LEFT = 32;

    private ThreadCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect(
                        "a_buffer_is_used_and_released_by_threads_that_did_not_make_it",
                        () -> otherThreads(heap),
                        heap.unlessMappable()),
                heap.expect(
                        "a_buffer_is_mapped_and_exported_by_" + SHARING + "_threads_at_once",
                        () -> oneBuffer(heap),
                        heap.unlessMappable().or(() -> heap.unlessHolds(1, LARGEST_HELD))),
                heap.expect(
                        THREADS + "_threads_allocate_map_and_release_at_once",
                        () -> manyThreads(heap),
                        heap.unlessMappable().or(() -> heap.unlessHolds(THREADS * HELD, LARGEST_HELD))),
                heap.expect(
                        "usage_and_trim_return_while_other_threads_allocate",
                        () -> usageMeanwhile(heap),
                        heap.unlessHolds(SHARING, LARGEST_HELD)),
                heap.expect(
                        "an_interrupted_thread_gets_a_buffer_or_a_refusal_and_stays_interrupted",
                        () -> interrupted(heap)),
                heap.expect("allocations_leave_no_thread_for_each", () -> noThreadLeft(heap)));
    }

    private static void otherThreads(HeapUnderTest heap) throws InterruptedException {
        for (HeapRequest request : heap.kinds(LARGEST_HELD)) {
            HeldBuffer buffer = heap.allocate(request);
            try {
                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                inThreads(1, thread -> mapping.fill((byte) 1));
                inThreads(1, thread -> {
                    Content.assertFilledWith(1, mapping, buffer);
                    buffer.unmap(mapping);
                    buffer.fill(2);
                });
                inThreads(1, thread -> {
                    buffer.assertFilledWith(2);
                    buffer.close();
                });
            } finally {
                buffer.close(); // has no effect if the thread has closed it
            }
        }
    }

    /** The first call of descriptor() makes the descriptor, also if several calls are the first. */
    private static void oneBuffer(HeapUnderTest heap) throws InterruptedException {
        for (HeapRequest request : heap.kinds(LARGEST_HELD)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                Set<Integer> descriptors = ConcurrentHashMap.newKeySet();
                inThreads(SHARING, thread -> {
                    for (int round = 0; round < ROUNDS; round++) {
                        if (request.export() != ExportMode.NONE) {
                            descriptors.add(buffer.descriptor());
                        }
                        MemorySegment mapping = buffer.map(Access.READ_WRITE);
                        buffer.begin(Access.READ_WRITE);
                        byte expected = (byte) round;
                        if (mapping.get(ValueLayout.JAVA_BYTE, thread) != expected) {
                            throw new AssertionError(buffer + " lost the byte that thread " + thread + " wrote");
                        }
                        mapping.set(ValueLayout.JAVA_BYTE, thread, (byte) (round + 1));
                        buffer.end(Access.READ_WRITE);
                        buffer.unmap(mapping);
                    }
                });
                if (descriptors.size() > 1) {
                    throw new AssertionError(buffer + " has the descriptors " + descriptors + ", expected one");
                }
            }
        }
    }

    private static void manyThreads(HeapUnderTest heap) throws InterruptedException {
        heap.awaitRoom(THREADS * HELD, LARGEST_HELD);
        inThreads(THREADS, thread -> {
            for (int round = 0; round < ROUNDS; round++) {
                List<HeldBuffer> held = new ArrayList<>();
                try {
                    for (int i = 0; i < HELD; i++) {
                        List<HeapRequest> kinds = heap.kinds(LARGEST_HELD >> (thread + i) % 5);
                        held.add(heap.allocate(kinds.get((round + i) % kinds.size())));
                        held.getLast().assertFilledWith(0);
                        held.getLast().fill(thread + i + 1);
                    }
                    for (int i = 0; i < HELD; i++) {
                        held.get(i).assertFilledWith(thread + i + 1);
                    }
                } finally {
                    held.forEach(HeldBuffer::close);
                }
            }
        });
    }

    /** One thread asks, as the broker does, and allocates nothing itself. */
    private static void usageMeanwhile(HeapUnderTest heap) throws InterruptedException {
        AtomicInteger allocating = new AtomicInteger(SHARING - 1);
        inThreads(SHARING, thread -> {
            if (thread == 0) {
                do {
                    HeapUsage usage = heap.exporter().usage();
                    long given = heap.exporter().trim(Long.MAX_VALUE);
                    if (usage == null || given < 0) {
                        throw new AssertionError("usage() returned " + usage + ", trim() " + given);
                    }
                } while (allocating.get() > 0 && !Thread.currentThread().isInterrupted());
                return;
            }
            try {
                for (int round = 0; round < ROUNDS; round++) {
                    try (HeldBuffer buffer = heap.allocate(HeapRequest.of(LARGEST_HELD))) {
                        if (heap.unlessMappable().isEmpty()) {
                            buffer.assertFilledWith(0);
                            buffer.fill(thread);
                            buffer.assertFilledWith(thread);
                        }
                    }
                }
            } finally {
                allocating.decrementAndGet();
            }
        });
    }

    private static void interrupted(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(LARGEST_HELD)) {
            HeldBuffer buffer = null;
            boolean interrupted;
            Thread.currentThread().interrupt();
            try {
                buffer = heap.allocate(request);
            } catch (HeapException e) {
                Sentence.assertErrno(Errno.EINTR, e);
            } finally {
                interrupted = Thread.interrupted();
                if (buffer != null) {
                    buffer.close();
                }
            }
            if (!interrupted) {
                throw new AssertionError(request + " cleared the interrupt of the thread");
            }
        }
    }

    /** A heap may start threads, but not one for each allocation. */
    private static void noThreadLeft(HeapUnderTest heap) throws InterruptedException {
        allocateEachKind(heap); // starts what a heap starts once
        ProcessState before = ProcessState.now();
        for (int i = 0; i < LEAST_LEFT; i++) {
            allocateEachKind(heap);
        }
        ProcessState.report(heap.awaitNoGrowth(before, LEAST_LEFT));
    }

    private static void allocateEachKind(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(LARGEST_HELD)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                if (heap.unlessMappable().isEmpty()) {
                    buffer.fill(1);
                }
            }
        }
    }

    private interface Work {
        void run(int thread);
    }

    /** Uses platform threads, which can all be inside a system call at once. */
    private static void inThreads(int count, Work work) throws InterruptedException {
        CountDownLatch start = new CountDownLatch(1);
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int thread = i;
            threads.add(Thread.ofPlatform().daemon().name("dmaheap-verify").start(() -> {
                try {
                    start.await();
                    work.run(thread);
                } catch (Throwable e) {
                    failures.add(e);
                }
            }));
        }
        start.countDown();
        awaitEnd(threads);
        if (!failures.isEmpty()) {
            throw new AssertionError(
                    failures.size() + " of " + count + " threads failed, the first with: "
                            + ContractCase.sentence(failures.peek()),
                    failures.peek());
        }
    }

    /** An interrupt is passed on, and the wait goes on: a thread may use memory that the case releases afterwards. */
    private static void awaitEnd(List<Thread> threads) throws InterruptedException {
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                    threads.forEach(Thread::interrupt);
                }
            }
        }
        if (interrupted) {
            throw new InterruptedException();
        }
    }
}
