// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about a heap whose bundle stops, starts and is updated while it has buffers and calls. */
final class DynamicsCases {
    private static final long SIZE = 64 << 10;
    private static final int THREADS = 4;
    private static final int RESTARTS = 3;
    /** Longest time of a stop, of a start and of a call; a framework may wait for each forever. */
    static final Duration PATIENCE = Duration.ofSeconds(60);

    private final HeapUnderTest heap;
    private final HeapBundle bundle;
    private final Duration patience;

    private DynamicsCases(HeapUnderTest heap, HeapBundle bundle, Duration patience) {
        this.heap = heap;
        this.bundle = bundle;
        this.patience = patience;
    }

    /**
     * @param notWanted why all of these cases are skipped; empty if they run
     * @param patience longest time of a stop, of a start and of a call
     */
    static List<ContractCase> of(HeapUnderTest heap, HeapBundle bundle, Optional<String> notWanted, Duration patience) {
        DynamicsCases cases = new DynamicsCases(heap, bundle, patience);
        Optional<String> skip = notWanted.or(bundle::unlessRestartable);
        Optional<String> unmappable = skip.or(heap::unlessMappable);
        return List.of(
                cases.expect("the_heap_goes_with_its_bundle_and_comes_back_as_it_was", cases::comesBackAsItWas, skip),
                cases.expect("a_buffer_is_usable_after_its_bundle_has_stopped", cases::buffersOutliveAStop, unmappable),
                cases.expect(
                        "a_descriptor_can_be_made_after_the_bundle_has_stopped", cases::descriptorsOutliveAStop, skip),
                cases.expect("a_call_during_a_stop_gets_a_buffer_or_a_refusal", cases::callsDuringAStop, skip),
                cases.expect(
                        "a_client_gets_a_buffer_or_a_refusal_while_the_heap_drains",
                        cases::requestsDuringAStop,
                        skip.or(cases::unlessClientsAllocate)),
                cases.expect(
                        "a_buffer_is_usable_after_an_update_of_its_bundle",
                        cases::buffersOutliveAnUpdate,
                        unmappable.or(bundle::unlessUpdatable)),
                cases.expect("restarts_of_the_bundle_leave_nothing_behind", cases::restartsLeaveNothing, skip));
    }

    /** Makes a case after which the bundle runs and the heap serves, also if the case fails. */
    private ContractCase expect(String name, ContractCase.Body body, Optional<String> skipReason) {
        return heap.expectOfRestarts(
                name,
                () -> {
                    if (!bundle.serves()) {
                        throw new AssertionError("not run: the heap's service is not registered");
                    }
                    try {
                        body.run();
                    } finally {
                        inTime("the start", bundle::start);
                        bundle.exporter();
                    }
                },
                skipReason);
    }

    private void comesBackAsItWas() throws Exception {
        Map<String, Object> before = bundle.properties();
        inTime("the stop", bundle::stop);
        if (bundle.serves()) {
            throw new AssertionError("the heap's service is registered although its bundle has stopped");
        }
        inTime("the start", bundle::start);
        Map<String, Object> after = bundle.properties();
        if (!Announcement.of(before).equals(Announcement.of(after))) {
            throw new AssertionError("the heap announced " + Announcement.of(before) + " before the stop, and "
                    + Announcement.of(after) + " after the next start");
        }
    }

    private void buffersOutliveAStop() throws Exception {
        outlive(() -> inTime("the stop", bundle::stop));
    }

    private void buffersOutliveAnUpdate() throws Exception {
        outlive(() -> inTime("the update", bundle::update));
    }

    private void outlive(ContractCase.Body event) throws Exception {
        List<HeldBuffer> buffers = new ArrayList<>();
        List<MemorySegment> mappings = new ArrayList<>();
        try {
            for (HeapRequest request : heap.kinds(SIZE)) {
                buffers.add(heap.allocate(request));
                buffers.getLast().fill(0x5a);
                mappings.add(buffers.getLast().map(Access.READ));
            }
            event.run();
            for (int i = 0; i < buffers.size(); i++) {
                HeldBuffer buffer = buffers.get(i);
                buffer.assertFilledWith(0x5a);
                buffer.fill(0xa5);
                buffer.assertFilledWith(0xa5);
                Content.assertFilledWith(0xa5, mappings.get(i), "a mapping from before, of " + buffer);
                buffer.close();
            }
        } finally {
            buffers.forEach(HeldBuffer::close);
        }
    }

    private void descriptorsOutliveAStop() throws Exception {
        try (HeldBuffer buffer = heap.allocate(HeapRequest.of(SIZE))) {
            inTime("the stop", bundle::stop);
            if (buffer.descriptor() < 0) {
                throw new AssertionError(buffer + " has descriptor " + buffer.descriptor());
            }
            buffer.duplicate().close();
        }
    }

    private void callsDuringAStop() throws Exception {
        HeapExporter exporter = bundle.exporter();
        duringAStop(() -> {
            try (HeldBuffer buffer = new HeldBuffer(exporter.allocate(HeapRequest.of(SIZE)), HeapRequest.of(SIZE))) {
                if (heap.unlessMappable().isEmpty()) {
                    buffer.assertFilledWith(0);
                    buffer.fill(1);
                }
            } catch (HeapException refused) {
                // a heap that has left may refuse
            }
        });
    }

    private void requestsDuringAStop() throws Exception {
        HeapBroker broker = bundle.broker().orElseThrow();
        duringAStop(() -> {
            try (DmaBuf buffer = broker.allocate(request())) {
                if (buffer.size() < SIZE) {
                    throw new AssertionError("a buffer for " + SIZE + " bytes has " + buffer.size());
                }
            } catch (HeapException e) {
                if (e.errno() == Errno.EIO) { // the broker's word for a heap that breaks the contract
                    throw e;
                }
            }
        });
    }

    private AllocationRequest request() {
        List<String> emulations = AnnouncementCases.texts(heap.properties().get(HeapProperties.EMULATES));
        return AllocationRequest.of(SIZE)
                .withHeaps(heap.name())
                .withEmulations(emulations.toArray(String[]::new))
                .withName("verify");
    }

    private Optional<String> unlessClientsAllocate() {
        if (bundle.broker().isEmpty()) {
            return Optional.of("no broker is registered");
        }
        try {
            bundle.broker().get().allocate(request()).close();
            return Optional.empty();
        } catch (HeapException e) {
            return Optional.of("the broker refuses the kit's requests: " + e.getMessage());
        }
    }

    /** Stops the bundle while threads repeat a call. Each repeats it after the stop once more. */
    private void duringAStop(ContractCase.Body call) throws Exception {
        AtomicBoolean stopped = new AtomicBoolean();
        CountDownLatch called = new CountDownLatch(THREADS);
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            threads.add(Thread.ofPlatform().daemon().name("dmaheap-verify").start(() -> {
                try {
                    boolean last;
                    do {
                        last = stopped.get();
                        call.run();
                        called.countDown();
                    } while (!last);
                } catch (Throwable e) {
                    failures.add(e);
                    called.countDown();
                }
            }));
        }
        try {
            if (!called.await(patience.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new AssertionError("a call did not return within " + patience.toSeconds() + " s");
            }
            inTime("the stop", bundle::stop);
        } finally {
            stopped.set(true);
            long end = System.nanoTime() + patience.toNanos();
            for (Thread thread : threads) {
                thread.join(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
            }
        }
        if (threads.stream().anyMatch(Thread::isAlive)) {
            throw new AssertionError("a call did not return within " + patience.toSeconds() + " s after the stop");
        }
        if (!failures.isEmpty()) {
            throw new AssertionError("a call ended with " + failures.peek(), failures.peek());
        }
    }

    private void restartsLeaveNothing() throws Exception {
        restart(); // opens what a heap opens once
        ProcessState before = ProcessState.now();
        for (int i = 0; i < RESTARTS; i++) {
            restart();
        }
        ProcessState.report(heap.awaitNoGrowth(before, RESTARTS));
    }

    private void restart() throws Exception {
        heap.allocate(HeapRequest.of(SIZE)).close();
        inTime("the stop", bundle::stop);
        inTime("the start", bundle::start);
        bundle.exporter();
    }

    /** Runs an operation of the framework, which may wait for the bundle's code without limit. */
    private void inTime(String operation, ContractCase.Body body) throws Exception {
        Optional<Throwable> fault = new TimedCall(operation + " of the bundle", patience, body).fault();
        if (fault.isPresent()) {
            throw new AssertionError(ContractCase.sentence(fault.get()), fault.get());
        }
    }
}
