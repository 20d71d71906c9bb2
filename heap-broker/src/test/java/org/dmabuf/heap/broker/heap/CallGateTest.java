// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.Race;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

public class CallGateTest {
    private static final int SLOTS = 64;
    /** Time limit that a correct gate never reaches. */
    private static final long LONG = TimeUnit.SECONDS.toNanos(60);

    private final CallGate gate = new CallGate();

    public static int onAnotherThread(IntSupplier call) {
        FutureTask<Integer> task = new FutureTask<>(call::getAsInt);
        Thread.ofPlatform().start(task);
        return result(task);
    }

    private static int result(FutureTask<Integer> task) {
        try {
            return task.get();
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    /** Thread that enters and stays inside until the test lets it leave. */
    private final class Visitor {
        private final CountDownLatch entered = new CountDownLatch(1);
        private final CountDownLatch mayLeave = new CountDownLatch(1);
        private final Thread thread;

        Visitor(Thread.Builder builder, int times) {
            thread = builder.start(() -> {
                int[] tickets = new int[times];
                for (int i = 0; i < times; i++) {
                    tickets[i] = gate.enter();
                }
                entered.countDown();
                await(mayLeave);
                for (int ticket : tickets) {
                    gate.leave(ticket);
                }
            });
            await(entered);
        }

        Visitor() {
            this(Thread.ofPlatform(), 1);
        }

        void leave() {
            mayLeave.countDown();
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void a_thread_that_has_left_is_not_waited_for() {
        for (int i = 0; i < 3 * SLOTS; i++) {
            gate.leave(gate.enter());
        }
        assertTrue(gate.empty());
        assertEquals(0, onAnotherThread(() -> gate.close(0)));
    }

    @Test
    void a_closed_gate_refuses_and_does_not_count_the_attempt() {
        assertEquals(0, gate.close(0));
        for (int i = 0; i < 3 * SLOTS; i++) {
            assertEquals(CallGate.REFUSED, gate.enter());
        }
        assertTrue(gate.empty());
        assertEquals(0, onAnotherThread(() -> gate.close(0)));
    }

    @Test
    void a_gate_with_a_thread_inside_is_not_empty() {
        int ticket = gate.enter();
        assertFalse(gate.empty());
        gate.leave(ticket);
        assertTrue(gate.empty());
    }

    @Test
    void a_thread_that_entered_twice_is_inside_until_it_has_left_twice() {
        int outer = gate.enter();
        int inner = gate.enter();
        assertNotEquals(outer, inner);
        gate.leave(inner);
        assertEquals(1, onAnotherThread(() -> gate.close(0)));
        gate.leave(outer);
        assertEquals(0, onAnotherThread(() -> gate.close(0)));
    }

    @Test
    void visits_may_end_in_any_order() {
        int[] tickets = new int[SLOTS + 10];
        for (int i = 0; i < tickets.length; i++) {
            tickets[i] = gate.enter();
        }
        for (int i = 0; i < tickets.length; i++) {
            assertEquals(tickets.length - i, onAnotherThread(() -> gate.close(0)));
            gate.leave(tickets[i]);
        }
        assertTrue(gate.empty());
    }

    @Test
    void close_waits_for_more_threads_than_there_are_slots() {
        List<Visitor> inside = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            inside.add(new Visitor(i % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual(), 1));
        }
        assertEquals(100, gate.close(0));
        FutureTask<Integer> closing = new FutureTask<>(() -> gate.close(LONG));
        Thread.ofPlatform().start(closing);
        for (Visitor visitor : inside) {
            assertFalse(closing.isDone());
            visitor.leave();
        }
        assertEquals(0, result(closing));
    }

    @Test
    void close_waits_for_the_thread_inside() {
        Visitor visitor = new Visitor();
        FutureTask<Integer> closing = new FutureTask<>(() -> gate.close(LONG));
        Thread closer = Thread.ofPlatform().start(closing);
        Await.until("the closer waits", () -> closer.getState() == Thread.State.TIMED_WAITING);
        assertEquals(CallGate.REFUSED, gate.enter());
        visitor.leave();
        assertEquals(0, result(closing));
    }

    @Test
    void close_gives_up_and_returns_the_number_of_threads_inside() {
        Visitor one = new Visitor();
        Visitor two = new Visitor();
        Visitor three = new Visitor();
        assertEquals(3, gate.close(TimeUnit.MILLISECONDS.toNanos(5)));
        assertEquals(CallGate.REFUSED, gate.enter());
        one.leave();
        two.leave();
        assertEquals(1, gate.close(0));
        three.leave();
        assertEquals(0, gate.close(0));
    }

    @Test
    void close_does_not_wait_for_its_own_thread() {
        int outer = gate.enter();
        int inner = gate.enter();
        assertEquals(0, gate.close(LONG)); // a heap unregisters its service within allocate
        gate.leave(inner);
        gate.leave(outer);
        assertTrue(gate.empty());
    }

    @Test
    void close_does_not_wait_for_its_own_thread_but_for_the_others() {
        int mine = gate.enter();
        Visitor other = new Visitor();
        assertEquals(1, gate.close(TimeUnit.MILLISECONDS.toNanos(5)));
        other.leave();
        assertEquals(0, gate.close(LONG));
        gate.leave(mine);
    }

    @Test
    void its_own_thread_is_not_waited_for_even_without_a_free_slot() {
        Visitor fills = new Visitor(Thread.ofPlatform(), SLOTS);
        int mine = gate.enter();
        assertEquals(SLOTS, gate.close(0));
        fills.leave();
        assertEquals(0, gate.close(LONG));
        gate.leave(mine);
        assertTrue(gate.empty());
    }

    @Test
    void an_interrupted_closer_continues_to_wait_and_stays_interrupted() {
        Visitor visitor = new Visitor();
        boolean[] interrupted = new boolean[1];
        FutureTask<Integer> closing = new FutureTask<>(() -> {
            int left = gate.close(LONG);
            interrupted[0] = Thread.interrupted();
            return left;
        });
        Thread closer = Thread.ofPlatform().start(closing);
        Await.until("the closer waits", () -> closer.getState() == Thread.State.TIMED_WAITING);
        closer.interrupt();
        Await.until("the closer has seen it", () -> !closer.isInterrupted());
        Await.until("the closer waits again", () -> closer.getState() == Thread.State.TIMED_WAITING);
        assertFalse(closing.isDone());
        visitor.leave();
        assertEquals(0, result(closing));
        assertTrue(interrupted[0]);
    }

    @Test
    void two_threads_may_close_at_once() {
        Visitor visitor = new Visitor();
        FutureTask<Integer> first = new FutureTask<>(() -> gate.close(LONG));
        FutureTask<Integer> second = new FutureTask<>(() -> gate.close(LONG));
        for (FutureTask<Integer> closing : List.of(first, second)) {
            Thread closer = Thread.ofPlatform().start(closing);
            Await.until("the closer waits", () -> closer.getState() == Thread.State.TIMED_WAITING);
        }
        visitor.leave();
        Await.until("both have seen it", () -> first.isDone() && second.isDone());
        assertEquals(0, result(first));
        assertEquals(0, result(second));
    }

    @Test
    void a_gate_does_not_keep_the_closing_thread_reachable() throws Exception {
        gate.close(0);
        var closer = CallGate.class.getDeclaredField("closer");
        closer.setAccessible(true);
        assertEquals(null, closer.get(gate)); // a thread keeps its class loader reachable
    }

    /**
     * Two threads enter and leave until they are refused, while a third closes the gate. After close has returned 0, no
     * thread may be inside or enter. In the crowded case the closer's own visits fill the slots, so the others use the
     * queue of threads without a slot.
     */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void after_close_has_returned_0_no_thread_is_inside(boolean crowded) {
        class House {
            final CallGate gate = new CallGate();
            final AtomicInteger visits = new AtomicInteger();
            volatile boolean open;
            volatile boolean empty;

            boolean visit() {
                int ticket = gate.enter();
                if (ticket == CallGate.REFUSED) {
                    return false;
                }
                for (int i = 0; i < 20; i++) {
                    assertFalse(empty, "inside after close had answered 0");
                    Thread.onSpinWait();
                }
                gate.leave(ticket);
                visits.incrementAndGet();
                return true;
            }
        }
        House[] house = new House[1];
        Race.Part visits = round -> {
            while (!house[0].open) {
                Thread.onSpinWait();
            }
            while (house[0].visit()) {
                // enters once more
            }
        };
        new Race()
                .before(round -> house[0] = new House())
                .with(visits)
                .with(visits)
                .with(round -> {
                    int[] own = new int[crowded ? SLOTS : 0];
                    for (int i = 0; i < own.length; i++) {
                        own[i] = house[0].gate.enter();
                    }
                    house[0].open = true;
                    Race.awaitSome(house[0].visits);
                    assertEquals(0, house[0].gate.close(LONG));
                    house[0].empty = true;
                    for (int ticket : own) {
                        house[0].gate.leave(ticket);
                    }
                })
                .after(round -> {
                    assertEquals(CallGate.REFUSED, house[0].gate.enter());
                    assertTrue(house[0].gate.empty());
                })
                .run(4000);
    }
}
