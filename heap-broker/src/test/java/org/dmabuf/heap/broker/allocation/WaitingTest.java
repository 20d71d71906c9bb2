// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeBundle;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.release.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of requests that wait for memory of other holders, and of the ends of their waits. */
class WaitingTest {
    private static final AllocationRequest PAGE = AllocationRequest.of(4096);
    private static final Duration LONG = Duration.ofDays(1);

    private final BrokerParts broker = new BrokerParts();
    private final FakeBundle camera = new FakeBundle("org.example.waits");
    private final FakeBundle display = new FakeBundle("org.example.display");
    /** Number of free buffers of the heap of {@link #having}. */
    private final AtomicInteger left = new AtomicInteger();

    private final AtomicInteger asked = new AtomicInteger();
    private final AtomicReference<Object> outcome = new AtomicReference<>();

    @AfterEach
    void nothing_is_left() {
        broker.clients.stopAll();
        broker.close();
        broker.registry.present().forEach(heap -> {
            assertEquals(0, heap.account().buffers());
            assertTrue(heap.gate().empty());
        });
        broker.ledger.clients().forEach(client -> assertTrue(client.settled(), client.id()::toString));
    }

    private HeapBroker brokerOf(FakeBundle bundle) {
        return broker.clients.getService(bundle.bundle(), null);
    }

    private void having(int buffers) {
        left.set(buffers);
        broker.heap("small", new FakeHeap(request -> {
            asked.incrementAndGet();
            if (left.getAndDecrement() <= 0) {
                left.incrementAndGet();
                throw HeapException.of(Errno.ENOMEM, "small", "it is full");
            }
            return new FakeMemory(request.size()) {
                @Override
                public void release() {
                    super.release();
                    left.incrementAndGet();
                }
            };
        }));
    }

    private static Rules clientQuota(String size) {
        return BrokerParts.rules(
                new String[0], new String[] {"org.example.waits=" + size}, new String[0], new String[0]);
    }

    /** Starts a request on a separate thread, and returns when it waits. */
    private Thread waiting(AllocationRequest request) {
        return waiting(request, 1);
    }

    private Thread waiting(AllocationRequest request, int count) {
        HeapBroker own = brokerOf(camera);
        Thread thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                outcome.set(own.allocate(request, count));
            } catch (Throwable e) {
                outcome.set(e);
            }
        });
        Await.until("it waits", () -> thread.getState() == Thread.State.TIMED_WAITING);
        return thread;
    }

    private void join(Thread thread) {
        Await.until("it ends", () -> !thread.isAlive());
    }

    private UsageRecord usage() {
        return broker.monitor().usageByClient().stream()
                .filter(record -> record.client().orElseThrow().toString().equals("org.example.waits"))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void a_close_by_another_client_lets_it_succeed() {
        having(1);
        DmaBuf theirs = brokerOf(display).allocate(PAGE);
        Thread thread = waiting(PAGE.withTimeout(LONG));
        theirs.close();
        join(thread);
        assertEquals(1, ((List<?>) outcome.get()).size(), outcome::toString);
        assertEquals(1, usage().waits());
        assertTrue(usage().waited().isPositive());
    }

    @Test
    void memory_that_returns_unnoticed_by_the_broker_is_found() {
        having(0);
        Thread thread = waiting(PAGE.withTimeout(LONG));
        left.set(1); // like a holder outside this process
        join(thread);
        assertEquals(1, ((List<?>) outcome.get()).size(), outcome::toString);
    }

    @Test
    void a_quota_that_is_raised_lets_it_succeed() {
        having(9);
        broker.ledger.apply(clientQuota("4K"));
        brokerOf(camera).allocate(PAGE);
        Thread thread = waiting(PAGE.withTimeout(LONG), 2);
        broker.ledger.apply(clientQuota("12K"));
        join(thread);
        assertEquals(2, ((List<?>) outcome.get()).size(), outcome::toString);
    }

    @Test
    void after_the_timeout_the_refusal_states_the_duration_of_the_wait() {
        having(0);
        HeapShortageException refusal = assertThrows(
                HeapShortageException.class, () -> brokerOf(camera).allocate(PAGE.withTimeout(Duration.ofMillis(120))));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals("heap 'small': it is full; waited 120 ms for memory of other holders", refusal.getMessage());
        assertEquals(1, refusal.attempts().size());
        assertEquals(1, usage().waits());
        assertTrue(usage().waited().compareTo(Duration.ofMillis(120)) >= 0, usage()::toString);
        assertTrue(usage().longestWait().equals(usage().waited()), "one wait, counted once");
    }

    @Test
    void a_timeout_shorter_than_the_polling_interval_ends_with_a_second_attempt() {
        having(0);
        assertThrows(
                HeapShortageException.class, () -> brokerOf(camera).allocate(PAGE.withTimeout(Duration.ofMillis(20))));
        assertEquals(2, asked.get());
    }

    @Test
    void without_a_timeout_the_heap_is_asked_once_and_no_wait_is_mentioned() {
        having(0);
        HeapException refusal =
                assertThrows(HeapShortageException.class, () -> brokerOf(camera).allocate(PAGE));
        assertEquals("heap 'small': it is full", refusal.getMessage());
        assertEquals(1, asked.get());
    }

    /** A try's own reservation and its released buffers wake no waiting request at once. */
    @Test
    void waiting_requests_do_not_wake_each_other_in_a_loop() {
        having(3);
        broker.ledger.apply(BrokerParts.rules(
                new String[] {"small=1M"}, new String[] {"*=1M"}, new String[] {"*/small=1M"}, new String[0]));
        Thread[] threads = {waiting(PAGE.withTimeout(LONG), 4), waiting(PAGE.withTimeout(LONG), 4)};
        int before = asked.get();
        long began = System.nanoTime();
        Await.until("some time", () -> System.nanoTime() - began > TimeUnit.MILLISECONDS.toNanos(300));
        long periods = (System.nanoTime() - began) / TimeUnit.MILLISECONDS.toNanos(5) + 1;
        int calls = asked.get() - before;
        assertTrue(calls <= 2 * 4 * periods, calls + " calls in " + periods + " periods");
        for (Thread thread : threads) {
            thread.interrupt();
            join(thread);
        }
        assertEquals(3, left.get());
    }

    @Test
    void the_stop_of_a_client_ends_its_wait() {
        having(0);
        Thread thread = waiting(PAGE.withTimeout(LONG));
        camera.stop();
        broker.clients.bundleChanged(null);
        join(thread);
        assertEquals(IllegalStateException.class, outcome.get().getClass(), outcome::toString);
    }

    @Test
    void the_stop_of_the_broker_ends_all_waits() {
        having(0);
        Thread thread = waiting(PAGE.withTimeout(LONG));
        broker.clients.stopAll();
        join(thread);
        assertEquals(IllegalStateException.class, outcome.get().getClass(), outcome::toString);
    }

    @Test
    void an_earlier_interrupt_ends_a_request_before_any_heap_is_asked() {
        having(1);
        Thread.currentThread().interrupt();
        HeapException refusal = assertThrows(HeapException.class, () -> broker.allocate(PAGE));
        assertTrue(Thread.interrupted(), "the thread stays interrupted");
        assertEquals(Errno.EINTR, refusal.errno());
        assertEquals(HeapException.class, refusal.getClass());
        assertEquals(0, asked.get());
    }

    @Test
    void a_buffer_that_arrives_after_an_interrupt_is_released() {
        FakeMemory late = new FakeMemory(4096);
        broker.heap("slow", new FakeHeap(_ -> {
            Thread.currentThread().interrupt();
            return late;
        }));
        HeapException refusal = assertThrows(HeapException.class, () -> broker.allocate(PAGE));
        assertTrue(Thread.interrupted(), "the thread stays interrupted");
        assertEquals(Errno.EINTR, refusal.errno());
        Await.until("it is released", late::released);
        assertTrue(broker.client.account().settled());
    }

    @Test
    void no_other_heap_is_asked_after_a_heap_refused_because_of_an_interrupt() {
        broker.heap("slow", new FakeHeap(_ -> {
            Thread.currentThread().interrupt();
            throw HeapException.of(Errno.ENODEV, "slow", "interrupted");
        }));
        having(1);
        HeapException refusal =
                assertThrows(HeapException.class, () -> broker.allocate(PAGE.withHeaps("slow", "small")));
        assertTrue(Thread.interrupted());
        assertEquals(Errno.EINTR, refusal.errno());
        assertEquals(0, asked.get());
    }

    @Test
    void an_interrupt_ends_the_wait_for_other_holders() {
        having(0);
        Thread thread = waiting(PAGE.withTimeout(LONG));
        thread.interrupt();
        join(thread);
        assertEquals(Errno.EINTR, ((HeapException) outcome.get()).errno(), outcome::toString);
        assertEquals(Map.of(Errno.EINTR, 1L), usage().failures());
    }

    /** The heap's reaper has memory of the client to release, but does not get to it. */
    @Test
    void an_interrupt_ends_the_wait_for_pending_releases() {
        having(0);
        CountDownLatch goOn = new CountDownLatch(1);
        CountDownLatch begun = new CountDownLatch(1);
        broker.registry.routes().named("small").account().reaper().submit(Piece.of(() -> {
            begun.countDown();
            try {
                goOn.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }));
        try {
            begun.await();
            Thread thread = waiting(PAGE);
            thread.interrupt();
            Await.until("it ends", () -> !thread.isAlive());
            assertEquals(Errno.EINTR, ((HeapException) outcome.get()).errno(), outcome::toString);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            goOn.countDown();
        }
    }

    @Test
    void a_request_that_is_served_after_a_wait_reports_the_heaps_that_refused_last() {
        having(1);
        broker.heap("empty", FakeHeap.refusing(Errno.ENOMEM, "empty", "nothing"));
        BufferReference theirs = broker.allocate(PAGE.withHeaps("small"));
        Thread thread = waiting(PAGE.withHeaps("empty", "small").withTimeout(LONG));
        theirs.close();
        join(thread);
        assertEquals(1, broker.events.allocations.getLast().tried());
    }
}
