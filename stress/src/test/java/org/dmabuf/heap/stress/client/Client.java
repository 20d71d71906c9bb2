// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.client;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.dmabuf.heap.stress.Tally;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** A bundle whose threads use buffers at random, in all ways that a bundle can, until it is stopped. */
public final class Client implements BundleActivator {
    private static final int THREADS = 2;
    private static final long PATIENCE_MILLIS = TimeUnit.SECONDS.toMillis(30);

    /** Buffers that all threads of the bundle share. Any thread may close one while another thread uses it. */
    private final AtomicReferenceArray<Held> common = new AtomicReferenceArray<>(4);

    private final List<Worker> workers = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private Tally tally;
    private volatile boolean stopping;

    /** Created by the framework. */
    public Client() {}

    @Override
    public void start(BundleContext context) {
        tally = context.getService(context.getServiceReference(Tally.class));
        for (int i = 0; i < THREADS; i++) {
            Worker worker = new Worker(context, tally, common, i, () -> stopping || tally.over());
            workers.add(worker);
            threads.add(Thread.ofPlatform()
                    .daemon()
                    .name("soak " + context.getBundle().getSymbolicName() + " " + i)
                    .inheritInheritableThreadLocals(false)
                    .start(worker));
        }
    }

    /** Leaves the resources of its threads open, unless the soak ends. */
    @Override
    public void stop(BundleContext context) throws InterruptedException {
        stopping = true;
        for (int i = 0; i < threads.size(); i++) {
            threads.get(i).join(PATIENCE_MILLIS);
            if (threads.get(i).isAlive()) {
                Throwable where =
                        new AssertionError("hangs in " + workers.get(i).doing());
                where.setStackTrace(threads.get(i).getStackTrace());
                tally.fail(Map.of("thread", threads.get(i).getName()).toString(), where);
            }
        }
        for (int i = 0; i < common.length(); i++) {
            if (common.get(i) != null) {
                tally.forgets();
            }
        }
        workers.forEach(Worker::endWhatIsNotTheBrokers);
    }
}
