// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LastUsageTest {
    private final BrokerParts broker = new BrokerParts();
    private final AtomicInteger asked = new AtomicInteger();
    private final LastUsage usage = new LastUsage();

    @AfterEach
    void stop() {
        broker.close();
    }

    private RegisteredHeap heap(Supplier<HeapUsage> answer) {
        return broker.heap("system", new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                throw new UnsupportedOperationException();
            }

            @Override
            public HeapUsage usage() {
                asked.incrementAndGet();
                return answer.get();
            }
        });
    }

    private static HeapUsage free(long bytes) {
        return HeapUsage.unknown().withFree(bytes);
    }

    private LastUsage.Answer await() {
        return usage.await(System.nanoTime() + TimeUnit.SECONDS.toNanos(60));
    }

    /** {@return the usage that is known now} */
    private LastUsage.Answer look() {
        return usage.await(System.nanoTime());
    }

    @Test
    void a_heap_that_was_never_queried_has_no_known_usage() {
        assertEquals(OptionalLong.empty(), look().usage().free());
        assertEquals(Duration.ZERO, look().age());
        assertEquals(0, asked.get());
    }

    @Test
    void the_last_answer_is_returned() {
        RegisteredHeap heap = heap(() -> free(asked.get()));
        for (int i = 1; i <= 3; i++) {
            usage.ask(heap);
            assertEquals(i, await().usage().free().orElseThrow());
            assertEquals(Duration.ZERO, await().age());
        }
    }

    @Test
    void a_heap_that_does_not_answer_is_queried_once_and_its_previous_answer_is_returned_with_its_age() {
        CountDownLatch answer = new CountDownLatch(1);
        RegisteredHeap heap = heap(() -> {
            if (asked.get() == 2) {
                try {
                    answer.await();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
            return free(asked.get());
        });
        usage.ask(heap);
        await();
        usage.ask(heap);
        Await.until("the heap is asked", () -> asked.get() == 2);
        usage.ask(heap);
        assertEquals(1, look().usage().free().orElseThrow());
        assertTrue(look().age().isPositive());
        answer.countDown();
        assertEquals(2, await().usage().free().orElseThrow());
        assertEquals(Duration.ZERO, look().age());
        assertEquals(2, asked.get());
    }

    @Test
    void a_heap_that_fails_or_returns_null_has_no_known_usage() {
        RegisteredHeap heap = heap(() -> switch (asked.get()) {
            case 1, 3 -> free(1);
            case 2 -> null;
            default -> throw new IllegalStateException("made up");
        });
        for (boolean known : new boolean[] {true, false, true, false}) {
            usage.ask(heap);
            assertEquals(known, await().usage().free().isPresent());
        }
    }

    @Test
    void a_heap_that_is_leaving_is_not_called() {
        RegisteredHeap heap = heap(() -> free(1));
        broker.remove(heap);
        usage.ask(heap);
        assertEquals(OptionalLong.empty(), await().usage().free());
        assertEquals(0, asked.get());
    }

    @Test
    void an_interrupted_caller_continues_to_wait_and_stays_interrupted() {
        RegisteredHeap heap = heap(() -> free(1));
        Thread.currentThread().interrupt();
        usage.ask(heap);
        assertEquals(1, await().usage().free().orElseThrow());
        assertTrue(Thread.interrupted());
    }
}
