// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.HeapMonitor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NotifierTest {
    private static final Optional<Duration> WATCHDOG = Optional.of(Duration.ofMillis(40));

    private final BlockingQueue<String> sent = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> pings = new LinkedBlockingQueue<>();
    private volatile HeapMonitor monitor;
    private volatile CountDownLatch stuck = new CountDownLatch(0);
    private Notifier notifier;

    private Notifier start(Optional<Duration> watchdog) {
        notifier = new Notifier(sent::add, new Liveness(() -> monitor), watchdog).start();
        return notifier;
    }

    @AfterEach
    void stop() {
        if (notifier != null) {
            notifier.close();
        }
    }

    private void serve() {
        monitor = (HeapMonitor) Proxy.newProxyInstance(
                HeapMonitor.class.getClassLoader(), new Class<?>[] {HeapMonitor.class}, (_, method, _) -> {
                    assertEquals("ping", method.getName());
                    pings.add("ping");
                    stuck.await();
                    return null;
                });
    }

    private String next() throws InterruptedException {
        return sent.poll(20, TimeUnit.SECONDS);
    }

    @Test
    void it_is_ready_only_when_the_gateway_serves() throws Exception {
        start(Optional.empty());
        assertNull(sent.poll(300, TimeUnit.MILLISECONDS));
        serve();
        assertEquals("READY=1", next());
        notifier.close();
        assertEquals("STOPPING=1", next());
    }

    @Test
    void signs_of_life_follow_while_the_broker_answers() throws Exception {
        serve();
        start(Optional.of(Duration.ofSeconds(2)));
        assertEquals("READY=1", next());
        assertEquals("WATCHDOG=1", next());
        assertEquals("WATCHDOG=1", next());
    }

    @Test
    void a_stuck_broker_gives_no_sign_of_life_until_it_answers_again() throws Exception {
        serve();
        stuck = new CountDownLatch(1);
        start(WATCHDOG);
        for (int i = 0; i < 3; i++) {
            assertEquals("ping", pings.poll(20, TimeUnit.SECONDS));
        }
        assertNull(sent.peek());
        stuck.countDown();
        assertEquals("READY=1", next());
        assertEquals("WATCHDOG=1", next());
    }

    @Test
    void without_a_watchdog_it_pings_only_until_it_is_ready() throws Exception {
        serve();
        start(Optional.empty());
        assertEquals("READY=1", next());
        assertEquals("ping", pings.poll());
        assertNull(sent.poll(200, TimeUnit.MILLISECONDS));
        assertNull(pings.peek());
    }

    @Test
    void a_check_that_begins_after_the_end_ends_its_thread() {
        HeapMonitor answering = (HeapMonitor) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {HeapMonitor.class}, (_, _, _) -> null);
        Liveness liveness = new Liveness(() -> answering);
        liveness.close();
        assertThrows(InterruptedException.class, () -> liveness.check(Duration.ofSeconds(10)));
    }

    @Test
    void the_time_of_the_watchdog_is_that_of_this_process() {
        assertEquals(Optional.empty(), Watchdog.of(Map.of(), 7));
        assertEquals(Optional.of(Duration.ofSeconds(60)), Watchdog.of(Map.of("WATCHDOG_USEC", "60000000"), 7));
        Map<String, String> environment = Map.of("WATCHDOG_USEC", "60000000", "WATCHDOG_PID", "8");
        assertEquals(Optional.empty(), Watchdog.of(environment, 7));
        assertEquals(Optional.of(Duration.ofSeconds(60)), Watchdog.of(environment, 8));
        assertThrows(IllegalArgumentException.class, () -> Watchdog.of(Map.of("WATCHDOG_USEC", "0"), 7));
    }
}
