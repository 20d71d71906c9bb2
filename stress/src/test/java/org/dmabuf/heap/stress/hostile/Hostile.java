// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.hostile;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.stress.Tally;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** A bundle that hands buffers to hostile processes, and adopts memory that they send, until it is stopped. */
public final class Hostile implements BundleActivator {
    private static final int THREADS = 3;
    private static final long PATIENCE_MILLIS = TimeUnit.SECONDS.toMillis(30);

    private final List<Exchanges> exchanges = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean stopping;
    private Tally tally;

    /** Created by the framework. */
    public Hostile() {}

    @Override
    public void start(BundleContext context) {
        tally = context.getService(context.getServiceReference(Tally.class));
        for (int i = 0; i < THREADS; i++) {
            Exchanges one = new Exchanges(context, tally, i, () -> stopping || tally.over());
            exchanges.add(one);
            threads.add(Thread.ofPlatform()
                    .daemon()
                    .name("soak " + context.getBundle().getSymbolicName() + " " + i)
                    .inheritInheritableThreadLocals(false)
                    .start(one));
        }
    }

    @Override
    public void stop(BundleContext context) throws InterruptedException {
        stopping = true;
        for (int i = 0; i < THREADS; i++) {
            Thread thread = threads.get(i);
            thread.join(PATIENCE_MILLIS);
            if (thread.isAlive()) {
                Throwable where =
                        new AssertionError("hangs in " + exchanges.get(i).doing());
                where.setStackTrace(thread.getStackTrace());
                tally.fail(thread.getName(), where);
            }
        }
    }
}
