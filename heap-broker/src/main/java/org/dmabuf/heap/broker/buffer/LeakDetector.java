// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Detector of references that became unreachable without a close. It releases their buffers and reports them. It
 * reports the first few losses of a client in an interval one by one, and the rest as a sum at its end. So a client
 * that loses buffers in a loop does not fill the log.
 */
public final class LeakDetector {
    private static final Logger LOG = LoggerFactory.getLogger(LeakDetector.class);

    private static final long INTERVAL = TimeUnit.SECONDS.toNanos(60);
    private static final int MOST_EACH = 5;
    /** The period, in milliseconds, in which the thread checks whether an interval is over. */
    private static final long LOOK_MILLIS = 1000;

    /** The losses of one client in one interval. */
    private static final class Losses {
        final long since;
        int reported;
        long more;
        long bytes;
        BrokerEvents events;

        Losses(long since) {
            this.since = since;
        }
    }

    private record Sum(ClientId client, long buffers, long bytes, BrokerEvents events) {}

    private final ReferenceQueue<Object> lost = new ReferenceQueue<>();
    private final LongSupplier clock;
    /** One entry for each client that lost a buffer in the current interval. Guarded by itself. */
    private final Map<ClientAccount, Losses> losses = new HashMap<>();
    /**
     * The thread inherits no thread locals, because the thread that activates the broker may carry a vendor's class
     * loader.
     */
    private final Thread thread = Thread.ofPlatform()
            .name("dmaheap-leaks")
            .daemon()
            .inheritInheritableThreadLocals(false)
            .unstarted(this::run);

    private volatile boolean stopped;

    public LeakDetector() {
        this(System::nanoTime);
    }

    /** Creates a detector with a clock that a test supplies, in nanoseconds. */
    LeakDetector(LongSupplier clock) {
        this.clock = clock;
    }

    /** Starts the thread that finds lost references. */
    public void start() {
        thread.start();
    }

    /**
     * Stops the thread and reports the sums so far. A reference that is lost from now on ends when its client's bundle
     * stops.
     */
    public void stop() {
        stopped = true; // a logger that waits may swallow the interrupt
        thread.interrupt();
        sumUp(0);
    }

    /** Waits until the thread has handled everything that was in its queue. */
    public void ping() throws InterruptedException {
        Ping ping = new Ping(lost);
        ping.enqueue();
        ping.handled.await();
    }

    /** An entry of the queue that stands for no lost reference. */
    private static final class Ping extends EndsOnce {
        private final CountDownLatch handled = new CountDownLatch(1);

        Ping(ReferenceQueue<Object> queue) {
            super(null, queue);
        }

        @Override
        public void lost() {
            handled.countDown();
        }
    }

    /** {@return the queue for handles that become unreachable} */
    public ReferenceQueue<Object> lost() {
        return lost;
    }

    /** Reports or counts that a client lost its reference to a buffer. */
    void report(ClientAccount client, SharedBuffer buffer) {
        client.leaked(buffer.account());
        sumUp(INTERVAL);
        boolean each;
        synchronized (losses) {
            Losses own = losses.computeIfAbsent(client, first -> new Losses(clock.getAsLong()));
            own.events = buffer.events();
            each = own.reported < MOST_EACH;
            if (each) {
                own.reported++;
            } else {
                own.more++;
                own.bytes += buffer.size();
            }
        }
        if (each) {
            report(client.id(), buffer);
        }
    }

    private static void report(ClientId client, SharedBuffer buffer) {
        String site = buffer.site().stream()
                .map(call -> Printable.of(call.toString()))
                .collect(Collectors.joining(System.lineSeparator() + "\tat "));
        try {
            LOG.warn(
                    "client {} lost a {} without closing it; it is released now. {}",
                    Printable.of(client.toString()),
                    buffer,
                    site.isEmpty()
                            ? "To log where a buffer was allocated, set allocation.sites = true in " + Rules.PID
                            : "It was allocated" + System.lineSeparator() + "\tat " + site);
        } finally {
            buffer.events().leaked(buffer.heapName(), client, buffer.name().orElse(""), buffer.size(), site);
        }
    }

    /** Reports and ends the intervals that are at least this old, in nanoseconds. */
    private void sumUp(long age) {
        List<Sum> sums = new ArrayList<>();
        synchronized (losses) {
            long now = clock.getAsLong();
            Iterator<Map.Entry<ClientAccount, Losses>> all = losses.entrySet().iterator();
            while (all.hasNext()) {
                Map.Entry<ClientAccount, Losses> one = all.next();
                Losses own = one.getValue();
                if (now - own.since >= age) {
                    if (own.more > 0) {
                        sums.add(new Sum(one.getKey().id(), own.more, own.bytes, own.events));
                    }
                    all.remove();
                }
            }
        }
        for (Sum sum : sums) {
            LOG.warn(
                    "client {} lost {} more buffers, {}, in the last {} s without closing them; they are released",
                    Printable.of(sum.client().toString()),
                    sum.buffers(),
                    Bytes.text(sum.bytes()),
                    TimeUnit.NANOSECONDS.toSeconds(INTERVAL));
            sum.events().leakedMore(sum.client(), sum.buffers(), sum.bytes());
        }
    }

    private void run() {
        while (!stopped) {
            try {
                boolean intervals;
                synchronized (losses) {
                    intervals = !losses.isEmpty();
                }
                Reference<?> one = lost.remove(intervals ? LOOK_MILLIS : 0);
                if (one == null) {
                    sumUp(INTERVAL);
                } else {
                    ((EndsOnce) one).lost();
                }
            } catch (InterruptedException e) {
                // The detector stops, or an interrupted logger set the interrupt again.
            } catch (Throwable e) { // the next loss may concern another client
                logFailure(e);
            }
        }
    }

    private static void logFailure(Throwable failure) {
        try {
            LOG.error("failed to report a leaked buffer", failure);
        } catch (Throwable e) {
            // A failing logger must not end the thread.
        }
    }
}
