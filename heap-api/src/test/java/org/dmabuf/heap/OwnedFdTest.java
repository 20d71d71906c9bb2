// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class OwnedFdTest {
    private static final int NUMBER = 1 << 20;

    private final Queue<Integer> closed = new ConcurrentLinkedQueue<>();
    private final OwnedFd fd = OwnedFd.of(NUMBER, closed::add);

    private void assertGone(OwnedFd gone) {
        for (IllegalStateException refusal : List.of(
                assertThrows(IllegalStateException.class, gone::fd),
                assertThrows(IllegalStateException.class, gone::detach))) {
            assertEquals("the descriptor was closed or detached", refusal.getMessage());
        }
        assertEquals("closed descriptor", gone.toString());
    }

    @Test
    void closing_twice_closes_once() {
        assertEquals(NUMBER, fd.fd());
        assertEquals("descriptor " + NUMBER, fd.toString());
        fd.close();
        fd.close();
        assertEquals(List.of(NUMBER), List.copyOf(closed));
        assertGone(fd);
    }

    @Test
    void a_close_that_threw_can_be_repeated_and_then_closes() {
        AtomicInteger calls = new AtomicInteger();
        for (Throwable failure : List.of(new IllegalStateException("made up"), new OutOfMemoryError("made up"))) {
            calls.set(0);
            OwnedFd stubborn = OwnedFd.of(NUMBER, number -> {
                if (calls.incrementAndGet() == 1) {
                    switch (failure) {
                        case RuntimeException exception -> throw exception;
                        default -> throw (Error) failure;
                    }
                }
                closed.add(number);
            });
            assertSame(failure, assertThrows(Throwable.class, stubborn::close));
            assertEquals(NUMBER, stubborn.fd());
            assertEquals(List.of(), List.copyOf(closed));
            stubborn.close();
            stubborn.close();
            assertEquals(2, calls.get());
            assertEquals(List.of(NUMBER), List.copyOf(closed));
            assertGone(stubborn);
            closed.clear();
        }
    }

    @Test
    void concurrent_closes_close_once() throws InterruptedException {
        OwnedFd[] fds = new OwnedFd[20_000]; // enough rounds to meet within the few critical nanoseconds
        Arrays.setAll(fds, number -> OwnedFd.of(number, closed::add));
        AtomicInteger arrived = new AtomicInteger();
        Thread[] threads = new Thread[2];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = Thread.ofPlatform().start(() -> {
                for (int n = 0; n < fds.length; n++) {
                    arrived.incrementAndGet();
                    for (int spins = 0; arrived.get() < threads.length * (n + 1); spins++) {
                        if (spins < 1_000) {
                            Thread.onSpinWait();
                        } else {
                            Thread.yield(); // the other thread may need this processor
                        }
                    }
                    fds[n].close();
                }
            });
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(fds.length, closed.size());
        assertEquals(fds.length, closed.stream().distinct().count());
    }

    @Test
    void a_detached_number_belongs_to_the_caller_and_the_closer_is_notified() {
        Queue<Integer> detached = new ConcurrentLinkedQueue<>();
        OwnedFd given = OwnedFd.of(NUMBER, new OwnedFd.Closer() {
            @Override
            public void close(int number) {
                closed.add(number);
            }

            @Override
            public void detached(int number) {
                detached.add(number);
            }
        });
        assertEquals(NUMBER, given.detach());
        given.close();
        assertEquals(List.of(), List.copyOf(closed));
        assertEquals(List.of(NUMBER), List.copyOf(detached));
        assertGone(given);
    }

    @Test
    void a_closer_without_a_detach_method_does_not_close_a_detached_number() {
        assertEquals(NUMBER, fd.detach());
        assertGone(fd);
        assertEquals(List.of(), List.copyOf(closed));
    }

    @Test
    void an_owner_that_awaits_its_descriptor_acts_as_closed_until_it_arrives() {
        Optional<PeerRule> rule = PeerRule.of("secure", 1000);
        OwnedFd awaiting = OwnedFd.awaiting(closed::add, rule);
        assertGone(awaiting);
        awaiting.close();
        assertEquals(List.of(), List.copyOf(closed));
        awaiting.own(0);
        assertEquals(0, awaiting.fd());
        assertSame(rule, awaiting.peers());
        awaiting.close();
        assertEquals(List.of(0), List.copyOf(closed));
        assertEquals(Optional.empty(), fd.peers());
    }

    @Test
    void an_error_number_is_not_accepted_as_a_descriptor() {
        OwnedFd awaiting = OwnedFd.awaiting(closed::add, Optional.empty());
        for (int number : new int[] {-1, -24, Integer.MIN_VALUE}) {
            String sentence = "invalid descriptor = " + number + ": expected 0 or more";
            assertEquals(
                    sentence,
                    assertThrows(IllegalArgumentException.class, () -> OwnedFd.of(number, closed::add))
                            .getMessage());
            assertEquals(
                    sentence,
                    assertThrows(IllegalArgumentException.class, () -> awaiting.own(number))
                            .getMessage());
        }
        assertGone(awaiting);
    }

    @Test
    void nulls_are_refused() {
        assertThrows(NullPointerException.class, () -> OwnedFd.of(NUMBER, null));
        assertThrows(NullPointerException.class, () -> OwnedFd.awaiting(null, Optional.empty()));
        assertThrows(NullPointerException.class, () -> OwnedFd.awaiting(closed::add, null));
    }
}
