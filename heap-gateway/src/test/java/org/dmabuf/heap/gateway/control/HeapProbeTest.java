// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HeapProbeTest {
    private final CountDownLatch answers = new CountDownLatch(1);
    private final CountDownLatch asked = new CountDownLatch(1);
    private final AtomicInteger questions = new AtomicInteger();
    private final HeapInfo heap = HeapInfo.of("system", HeapState.SERVING).build();
    private final HeapBroker broker = (HeapBroker)
            Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {HeapBroker.class}, (_, _, _) -> {
                questions.incrementAndGet();
                asked.countDown();
                answers.await();
                return List.of(heap);
            });
    private final HeapProbe probe = new HeapProbe(() -> broker);

    @AfterEach
    void close() {
        answers.countDown();
        probe.close();
    }

    @Test
    void concurrent_statuses_share_one_query() throws Exception {
        FutureTask<List<HeapInfo>> first = new FutureTask<>(probe::heaps);
        FutureTask<List<HeapInfo>> second = new FutureTask<>(probe::heaps);
        Thread.ofPlatform().start(first);
        asked.await();
        Thread waiting = Thread.ofPlatform().start(second);
        while (!second.isDone() && waiting.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        answers.countDown();
        assertEquals(List.of(heap), first.get());
        assertEquals(List.of(heap), second.get());
        assertEquals(1, questions.get());
    }

    @Test
    void a_hanging_broker_is_asked_once() {
        for (int i = 0; i < 2; i++) {
            assertEquals(
                    "the broker did not answer within 2 s",
                    assertThrows(HeapProbe.UnknownException.class, probe::heaps).getMessage());
        }
        assertEquals(1, questions.get());
    }

    @Test
    void an_answer_is_not_kept_for_the_next_status() throws Exception {
        answers.countDown();
        probe.heaps();
        probe.heaps();
        assertEquals(2, questions.get());
    }
}
