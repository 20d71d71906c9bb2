// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static org.example.client.Gateway.CAPACITY;
import static org.example.client.Gateway.OWN;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.UsageRecord;

/** Checks of a heap that is full, and of waits for its memory. */
final class ShortageChecks {
    private static final AllocationRequest WHOLE =
            AllocationRequest.of(CAPACITY).withHeaps(OWN);

    private final Gateway gateway;
    private final HeapBroker broker;

    ShortageChecks(Gateway gateway) {
        this.gateway = gateway;
        broker = gateway.broker();
    }

    void run(Report report) {
        report.run("a shortage says what was tried", this::aShortageSaysWhatWasTried);
        report.run("several buffers come or none", this::severalBuffersComeOrNone);
        report.run("what a heap keeps for speed is taken", this::whatAHeapKeepsIsTaken);
        report.run("memory of other holders is waited for", this::memoryOfOtherHoldersIsWaitedFor);
        report.run("a wait ends in time", this::aWaitEndsInTime);
        report.run("an interrupt ends an allocation", this::anInterruptEndsAnAllocation);
    }

    private void aShortageSaysWhatWasTried() {
        HeapShortageException full = Expect.failure(
                HeapShortageException.class,
                () -> broker.allocate(
                        AllocationRequest.of(2 * CAPACITY).withHeaps(OWN).withName("large")));
        Expect.same(Errno.ENOMEM, full.errno());
        Expect.same(12, full.number());
        Expect.same(OWN, full.heap().orElseThrow());
        Expect.same("heap '" + OWN + "': " + full.reason(), full.getMessage());
        Attempt attempt = full.attempts().getFirst();
        Expect.same(OWN, attempt.heap());
        Expect.same(Errno.ENOMEM, attempt.errno());
        Expect.yes(attempt.reason().contains("2097152 bytes do not fit: 1 MiB free"));
        try (DmaBuf _ = broker.allocate(WHOLE)) {
            full = Expect.failure(HeapShortageException.class, () -> broker.allocate(WHOLE.withName("large")));
            Expect.yes(full.attempts()
                    .getFirst()
                    .reason()
                    .contains("1048576 bytes aligned to 1 for export READ_WRITE as 'large' of " + SelfCheck.CLIENT
                            + " do not fit"));
        }
    }

    /** Allocates the whole heap to check that nothing is held. */
    private void severalBuffersComeOrNone() {
        AllocationRequest page = AllocationRequest.of(1).withHeaps(OWN);
        Expect.failure(HeapShortageException.class, () -> broker.allocate(page, 300));
        List<DmaBuf> all = broker.allocate(page, (int) (CAPACITY / 4096));
        Expect.failure(HeapShortageException.class, () -> broker.allocate(page));
        all.forEach(DmaBuf::close);
        broker.allocate(WHOLE).close();
    }

    private void whatAHeapKeepsIsTaken() throws Exception {
        broker.allocate(WHOLE).close();
        Expect.soon(CAPACITY, () -> gateway.heap(OWN).usage().pools().getFirst().bytes());
        gateway.page(OWN).close();
    }

    private void memoryOfOtherHoldersIsWaitedFor() throws Exception {
        DmaBuf held = broker.allocate(WHOLE);
        Thread waiting = Thread.currentThread();
        Thread holder = Thread.ofPlatform().name("kept-holder").start(() -> closeOnceItWaits(held, waiting));
        broker.allocate(WHOLE.withTimeout(Duration.ofSeconds(20))).close();
        holder.join();
        UsageRecord mine = gateway.monitor().usageByClient().stream()
                .filter(record -> record.client().equals(Optional.of(gateway.client())))
                .findFirst()
                .orElseThrow();
        Expect.yes(mine.waits() > 0 && mine.waited().isPositive());
        Expect.yes(mine.longestWait().compareTo(mine.waited()) <= 0);
    }

    private static void closeOnceItWaits(DmaBuf held, Thread waiting) {
        try {
            Expect.soon(
                    true,
                    () -> waiting.getState() == Thread.State.TIMED_WAITING
                            || waiting.getState() == Thread.State.WAITING);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        } finally {
            held.close();
        }
    }

    private void aWaitEndsInTime() {
        try (DmaBuf _ = broker.allocate(WHOLE)) {
            HeapShortageException full = Expect.failure(
                    HeapShortageException.class, () -> broker.allocate(WHOLE.withTimeout(Duration.ofMillis(1))));
            Expect.same(Errno.ENOMEM, full.errno());
        }
    }

    private void anInterruptEndsAnAllocation() {
        Thread.currentThread().interrupt();
        try {
            HeapException interrupted = Expect.failure(HeapException.class, () -> gateway.page(OWN));
            Expect.same(Errno.EINTR, interrupted.errno());
            Expect.yes(Thread.currentThread().isInterrupted());
        } finally {
            Thread.interrupted();
        }
        gateway.page(OWN).close();
    }
}
