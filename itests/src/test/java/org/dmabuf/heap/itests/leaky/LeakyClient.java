// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.leaky;

import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.HeapBroker;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** A client that loses a buffer every second without closing it. */
public final class LeakyClient implements BundleActivator {
    private static final int PAUSE_MILLIS = 1000;

    private Thread thread;

    @Override
    public void start(BundleContext context) {
        HeapBroker broker = context.getService(context.getServiceReference(HeapBroker.class));
        thread = Thread.ofPlatform().name("leaky").start(() -> lose(broker));
    }

    private static void lose(HeapBroker broker) {
        try {
            while (true) {
                broker.allocate(AllocationRequest.of(4096));
                System.gc(); // the broker notices a loss when Java collects the reference
                Thread.sleep(PAUSE_MILLIS);
            }
        } catch (InterruptedException e) {
            // the bundle stops
        }
    }

    @Override
    public void stop(BundleContext context) throws InterruptedException {
        thread.interrupt();
        thread.join();
    }
}
