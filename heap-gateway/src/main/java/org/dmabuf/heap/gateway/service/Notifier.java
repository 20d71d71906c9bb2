// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.service;

import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Thread that reports to the service manager: that the gateway serves, once, and with a watchdog that the broker is
 * alive. A heap that is full, hangs or has failed changes no report. Without reports the service manager restarts the
 * gateway.
 */
final class Notifier implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");
    private static final Duration USUAL_LIMIT = Duration.ofSeconds(10);
    private static final long LOOK_MILLIS = 100;

    private final Consumer<String> messages;
    private final Liveness liveness;
    private final Optional<Duration> watchdog;
    private final Thread thread = Thread.ofPlatform()
            .name("service manager")
            .daemon()
            .inheritInheritableThreadLocals(false)
            .unstarted(this::run);

    /**
     * @param messages sends a message
     * @param liveness check of the broker
     * @param watchdog time within which the service manager expects a sign of life
     */
    Notifier(Consumer<String> messages, Liveness liveness, Optional<Duration> watchdog) {
        this.messages = messages;
        this.liveness = liveness;
        this.watchdog = watchdog;
    }

    Notifier start() {
        thread.start();
        return this;
    }

    private void run() {
        // A check at half the time that takes at most a quarter leaves a quarter until the time is over.
        Duration limit = watchdog.map(time -> time.dividedBy(4)).orElse(USUAL_LIMIT);
        try {
            while (!liveness.isUp() || !liveness.check(limit)) {
                Thread.sleep(LOOK_MILLIS);
            }
            send("READY=1");
            while (watchdog.isPresent()) {
                if (liveness.check(limit)) {
                    send("WATCHDOG=1");
                } else {
                    LOG.error(
                            "the broker did not answer within {} ms; without an answer, the service manager restarts"
                                    + " the gateway after {} s",
                            limit.toMillis(),
                            watchdog.get().toSeconds());
                }
                Thread.sleep(watchdog.get().dividedBy(2));
            }
        } catch (InterruptedException e) {
            // the gateway stops
        }
    }

    private void send(String message) {
        try {
            messages.accept(message);
        } catch (RuntimeException e) { // the next message may arrive
            LOG.warn("sending {} to the service manager failed: {}", message, e.getMessage());
        }
    }

    /** Reports that the gateway stops. */
    @Override
    public void close() {
        thread.interrupt();
        liveness.close();
        send("STOPPING=1");
    }
}
