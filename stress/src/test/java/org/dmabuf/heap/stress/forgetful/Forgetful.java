// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.forgetful;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.stress.Tally;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** A bundle that allocates buffers while it starts, and loses every reference without a close. */
public final class Forgetful implements BundleActivator {
    private static final int BUFFERS = 50;
    private static final long SIZE = 64 << 10;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

    /** Created by the framework. */
    public Forgetful() {}

    @Override
    public void start(BundleContext context) {
        Tally tally = context.getService(context.getServiceReference(Tally.class));
        HeapBroker broker = context.getService(context.getServiceReference(HeapBroker.class));
        List<DmaBuf> lost = new ArrayList<>();
        for (int i = 0; i < BUFFERS; i++) {
            DmaBuf buffer = allocate(broker);
            lost.add(buffer);
            switch (i % 4) {
                case 0 -> lost.add(buffer.newReference());
                case 1 -> buffer.map(Access.READ_WRITE, Arena.ofAuto()).fill((byte) i); // outlives the reference
                case 2 -> buffer.exportFd().close();
                default -> {} // only allocated
            }
        }
        lost.forEach(reference -> tally.forgets());
    }

    /** Tolerates refusals, because the last configuration of the soak may still be in force. */
    private static DmaBuf allocate(HeapBroker broker) {
        long start = System.nanoTime();
        while (true) {
            try {
                return broker.allocate(
                        AllocationRequest.of(SIZE).withHeaps("system").withName("lost"));
            } catch (HeapException e) {
                if (System.nanoTime() - start > PATIENCE_NANOS) {
                    throw e;
                }
                LockSupport.parkNanos(10_000_000);
            }
        }
    }

    @Override
    public void stop(BundleContext context) {
        // No reference is left to close.
    }
}
