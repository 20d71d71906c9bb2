// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.HeapUnderTest.Company;
import org.example.HangingCode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of heaps whose code does not return, or throws an error: the kit goes on. */
class TimedCallTest {
    private static final Duration SHORT = Duration.ofMillis(50);
    private static final String NOT_RUN = "not run: an earlier case has not returned";

    private final CountDownLatch released = new CountDownLatch(1);
    private final CountDownLatch hanging = new CountDownLatch(1);

    @AfterEach
    void release() {
        released.countDown();
    }

    private void hang() {
        hanging.countDown();
        HangingCode.until(released);
    }

    private HeapExporter hangingFor(String name) {
        HeapExporter good = Heaps.good();
        return request -> {
            if (request != null && request.name().orElse("").contains(name)) {
                hang();
            }
            return good.allocate(request);
        };
    }

    private static List<ContractCase> cases(HeapExporter heap, Duration limit) {
        HeapUnderTest underTest = new HeapUnderTest(heap, Heaps.announced(Heaps.good()), SHORT, limit, Company.ALONE);
        return new ArrayList<>(HeapContract.of(underTest).cases());
    }

    private static ContractCase find(List<ContractCase> cases, String name) {
        return cases.stream().filter(c -> c.name().equals(name)).findFirst().orElseThrow();
    }

    @Test
    void a_case_whose_heap_hangs_fails_with_the_heaps_method_and_later_cases_fail_until_it_returns() throws Exception {
        List<ContractCase> cases = cases(hangingFor("frame"), Duration.ofSeconds(5));
        ContractCase hangs = find(cases, "a_name_of_31_bytes_is_taken");
        ContractCase later = find(cases, "a_buffer_maps_in_every_direction");
        String failure = hangs.failure().orElseThrow();
        assertTrue(failure.startsWith("the case did not return within 5 s; it is in "), failure);
        assertTrue(failure.contains("org.example.HangingCode.until("), failure);
        assertEquals(Optional.of(NOT_RUN), later.failure());
        released.countDown();
        assertEquals(Optional.empty(), failureInTheEnd(later));
    }

    @Test
    void a_thread_of_a_case_that_hangs_keeps_later_cases_from_running() throws Exception {
        HeapExporter good = Heaps.good();
        AtomicInteger inside = new AtomicInteger();
        HeapExporter heap = request -> {
            if (inside.incrementAndGet() > 1) {
                hang();
            }
            try {
                return good.allocate(request);
            } finally {
                inside.decrementAndGet();
            }
        };
        List<ContractCase> cases = cases(heap, Duration.ofSeconds(5));
        ContractCase hangs = cases.stream()
                .filter(c -> c.name().startsWith("100_threads_"))
                .findFirst()
                .orElseThrow();
        ContractCase later = find(cases, "a_buffer_maps_in_every_direction");
        assertEquals(Optional.of("the case did not return within 5 s"), hangs.failure());
        assertEquals(Optional.of(NOT_RUN), later.failure());
        released.countDown();
        assertEquals(Optional.empty(), failureInTheEnd(later));
    }

    /** {@return the failure of a case, after the thread of an earlier one has ended by itself} */
    private static Optional<String> failureInTheEnd(ContractCase later) throws InterruptedException {
        Optional<String> failure = later.failure();
        for (int i = 0; i < 4000 && failure.equals(Optional.of(NOT_RUN)); i++) {
            Thread.sleep(5);
            failure = later.failure();
        }
        return failure;
    }

    @Test
    void an_interrupt_ends_a_case_that_hangs_and_the_thread_stays_interrupted() throws Exception {
        ContractCase hangs = find(cases(hangingFor("frame"), Heaps.LIMIT), "a_name_of_31_bytes_is_taken");
        List<String> ended = new ArrayList<>();
        Thread caller = Thread.ofPlatform().start(() -> {
            ended.add(hangs.failure().orElseThrow());
            ended.add(Thread.currentThread().isInterrupted() + "");
        });
        hanging.await();
        caller.interrupt();
        caller.join();
        released.countDown();
        assertEquals(List.of("java.lang.InterruptedException", "true"), ended);
    }

    @Test
    void a_heap_whose_usage_hangs_cannot_be_listed() {
        HeapExporter broken = new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                throw new UnsupportedOperationException();
            }

            @Override
            public HeapUsage usage() {
                hang();
                return HeapUsage.unknown();
            }
        };
        HeapException refusal = assertThrows(HeapException.class, () -> cases(broken, SHORT));
        released.countDown();
        assertEquals(Errno.EIO, refusal.errno());
        assertTrue(refusal.getMessage().contains("listing the cases failed: the heap did not return within "));
    }

    @Test
    void every_method_may_throw_any_error_and_each_case_reports_it() {
        HeapExporter broken = new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                throw new StackOverflowError();
            }

            @Override
            public HeapUsage usage() {
                throw new ExceptionInInitializerError("usage");
            }

            @Override
            public long trim(long bytes) {
                throw new OutOfMemoryError("trim");
            }
        };
        for (ContractCase one : cases(broken, Heaps.LIMIT)) {
            boolean aboutProperties = one.name().contains("announced");
            if (one.skipReason().isEmpty() && !aboutProperties) {
                AssertionError failure = assertThrows(AssertionError.class, one::run, one.name());
                assertInstanceOf(Throwable.class, failure.getCause());
            }
        }
    }
}
