// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.FailingLog;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HeapOpeningTest {
    private static final String THREAD = "dmaheap-start-camera";
    private static final HeapSettings SETTINGS = HeapSettings.of(
            "org.example.acme",
            "acme",
            Map.of("felix.fileinstall.filename", "file:/etc/org.example.acme.cfg"),
            "camera",
            () -> -1,
            () -> 0);

    private final AtomicInteger attempts = new AtomicInteger();
    private final AtomicInteger open = new AtomicInteger();
    private volatile RuntimeException refusal;
    private volatile Error error;
    /** Properties of each unavailable heap that is listed. */
    private final Queue<Map<String, Object>> listed = new ConcurrentLinkedQueue<>();

    private Runnable open() {
        attempts.incrementAndGet();
        if (error != null) {
            throw error;
        }
        if (refusal != null) {
            throw refusal;
        }
        open.incrementAndGet();
        return open::decrementAndGet;
    }

    private Runnable listed(Map<String, Object> properties) {
        listed.add(properties);
        return () -> listed.remove(properties);
    }

    private static HeapException refusal(Errno errno) {
        return HeapException.of(errno, "camera", "512 MiB do not fit");
    }

    private static Map<String, Object> unavailable(String reason, boolean retried) {
        return Map.of(
                "heap.name", "camera",
                "heap.reason", reason,
                "heap.retried", retried,
                "heap.pid", "org.example.acme",
                "heap.file", "/etc/org.example.acme.cfg");
    }

    private static void until(String what, BooleanSupplier is) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!is.getAsBoolean()) {
            assertTrue(System.nanoTime() - deadline < 0, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
        }
    }

    private static boolean waits() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals(THREAD));
    }

    @AfterEach
    void nothing_is_left() {
        until("the thread ends", () -> !waits());
        assertEquals(0, open.get());
        assertEquals(List.of(), List.copyOf(listed));
    }

    @Test
    void a_heap_that_waits_is_listed_with_its_reason_until_it_is_announced() {
        refusal = refusal(Errno.ENOMEM);
        HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
        assertEquals(List.of(unavailable("512 MiB do not fit", true)), List.copyOf(listed));
        refusal = null;
        until("it is open", () -> open.get() == 1);
        until("it waits no more", listed::isEmpty);
        start.close();
    }

    @Test
    void a_failing_log_prevents_neither_the_opening_of_a_heap_nor_its_withdrawal() {
        refusal = refusal(Errno.ENOMEM);
        try (FailingLog log = new FailingLog(HeapOpening.class, true)) {
            HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
            assertEquals(1, log.records());
            refusal = null;
            until("it waits no more", listed::isEmpty);
            until("the thread ends", () -> !waits());
            assertEquals(2, attempts.get());
            assertEquals(1, open.get());
            assertEquals(2, log.records());
            start.close();
        }
    }

    @Test
    void a_heap_that_refuses_its_memory_in_the_end_is_not_logged_as_announced() {
        refusal = refusal(Errno.ENOMEM);
        List<String> lines = RecordedLog.of(HeapOpening.class, () -> {
            HeapOpening start = HeapOpening.begin(
                    SETTINGS,
                    this::listed,
                    () -> {
                        open().run(); // refuses as configured by the test; nothing stays open
                        return HeapRegistration.NOTHING;
                    },
                    HeapOpening.Repeated.AFTER_LACK);
            refusal = null;
            until("the thread ends", () -> !waits());
            start.close();
        });
        assertEquals(1, lines.size(), lines::toString);
    }

    @Test
    void a_heap_that_is_opened_at_once_is_never_listed_as_waiting() {
        HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
        assertEquals(List.of(), List.copyOf(listed));
        start.close();
    }

    @Test
    void a_heap_that_can_be_opened_is_announced_at_once_without_a_thread() {
        HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
        assertEquals(1, open.get());
        assertFalse(waits());
        start.close();
        start.close();
        assertEquals(0, open.get());
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"ENOMEM", "EMFILE", "ENFILE", "EAGAIN", "ENOSPC", "ENOENT", "ENODEV", "ENXIO", "EACCES"})
    void a_shortage_or_a_missing_device_is_reported_once_and_the_heap_is_announced_when_it_is_over(Errno errno) {
        refusal = refusal(errno);
        List<String> lines = RecordedLog.of(HeapOpening.class, () -> {
            HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
            until("it is tried again", () -> attempts.get() > 1);
            assertEquals(0, open.get());
            refusal = null;
            until("it is open", () -> open.get() == 1);
            until("the thread ends", () -> !waits());
            start.close();
        });
        assertEquals(
                List.of(
                        "heap 'camera' is not announced yet: 512 MiB do not fit. It is opened without a restart when"
                                + " the cause is gone; the opening is repeated every 10 s",
                        "heap 'camera': the cause is gone, and the heap is announced"),
                lines);
    }

    @Test
    void another_reason_for_the_wait_replaces_the_first_in_the_list() {
        refusal = HeapException.of(Errno.EAGAIN, "camera", "its name is taken");
        HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
        assertEquals("its name is taken", listed.element().get(UnavailableHeap.REASON));
        refusal = refusal(Errno.ENOMEM);
        until(
                "it is listed again",
                () -> listed.size() == 1
                        && listed.element().get(UnavailableHeap.REASON).equals("512 MiB do not fit"));
        start.close();
        assertTrue(listed.isEmpty());
    }

    @Test
    void a_shortage_of_java_memory_is_a_shortage_too() {
        refusal = refusal(Errno.ENOMEM);
        HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
        error = new OutOfMemoryError("thrown by the test");
        until("it is tried again", () -> attempts.get() > 1);
        error = null;
        refusal = null;
        until("it is open", () -> open.get() == 1);
        start.close();
    }

    @Test
    void a_shortage_of_java_memory_at_the_start_is_waited_for() {
        error = new OutOfMemoryError("thrown by the test");
        try (HeapOpening _ = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK)) {
            assertEquals(
                    List.of(unavailable(
                            "Java has too little memory: thrown by the test; give it more with -Xmx in JAVA_OPTS",
                            true)),
                    List.copyOf(listed));
            error = null;
            until("the heap is open", () -> open.get() == 1);
        }
    }

    @Test
    void a_heap_that_cannot_start_is_listed_and_reported_at_once_and_not_tried_again() {
        for (RuntimeException cause : List.of(refusal(Errno.EINVAL), new IllegalStateException("a bug"))) {
            refusal = cause;
            attempts.set(0);
            List<String> lines = RecordedLog.of(HeapOpening.class, () -> {
                HeapOpening start =
                        HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
                String reason = cause instanceof HeapException own ? own.reason() : cause.toString();
                assertEquals(List.of(unavailable(reason, false)), List.copyOf(listed));
                start.close();
                assertEquals(List.of(), List.copyOf(listed));
            });
            String sentence = cause instanceof HeapException ? ": 512 MiB do not fit" : "";
            assertEquals(
                    List.of("opening heap 'camera' failed and is not repeated" + sentence
                            + "; correct the cause, then restart its bundle or change its configuration"),
                    lines);
            assertEquals(1, attempts.get());
            assertFalse(waits());
        }
    }

    @Test
    void a_failure_other_than_a_shortage_ends_the_attempts_and_is_listed_and_reported() {
        refusal = refusal(Errno.ENOMEM);
        List<String> lines = RecordedLog.of(HeapOpening.class, () -> {
            HeapOpening start = HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK);
            refusal = refusal(Errno.EINVAL);
            until("the thread ends", () -> !waits());
            assertEquals(List.of(unavailable("512 MiB do not fit", false)), List.copyOf(listed));
            start.close();
        });
        assertEquals(2, lines.size(), lines::toString);
        assertTrue(lines.getLast().startsWith("opening heap 'camera' failed and is not repeated"), lines::toString);
    }

    @Test
    void a_missing_device_is_not_waited_for_when_the_caller_has_another_heap() {
        refusal = refusal(Errno.EACCES);
        try (HeapOpening opening =
                HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_SHORTAGE)) {
            assertTrue(opening.isFailed());
            assertEquals(List.of(unavailable("512 MiB do not fit", false)), List.copyOf(listed));
            assertFalse(waits());
        }
    }

    @Test
    void a_closed_start_makes_no_more_attempts() {
        refusal = refusal(Errno.ENOMEM);
        HeapOpening.begin(SETTINGS, this::listed, this::open, HeapOpening.Repeated.AFTER_LACK)
                .close();
        assertFalse(waits());
        assertEquals(1, attempts.get());
    }

    @Test
    void a_heap_that_opens_during_the_close_is_withdrawn() {
        refusal = refusal(Errno.ENOMEM);
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch closing = new CountDownLatch(1);
        HeapOpening start = HeapOpening.begin(
                SETTINGS,
                this::listed,
                () -> {
                    if (attempts.get() > 0) {
                        begun.countDown();
                        await(closing);
                    }
                    return open();
                },
                HeapOpening.Repeated.AFTER_LACK);
        refusal = null;
        await(begun);
        Thread closer = Thread.ofPlatform().start(start::close);
        until("the close waits", () -> closer.getState() == Thread.State.TIMED_WAITING);
        closing.countDown();
        until("it was opened", () -> attempts.get() == 2);
        until("the thread ends", () -> !waits());
    }

    private static void await(CountDownLatch moment) {
        try {
            assertTrue(moment.await(60, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
