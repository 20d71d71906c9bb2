// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.heap;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.stress.Tally;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;

/** A heap of real memory that fails at random, as a vendor's code can, and reports calls that it must not get. */
public final class FaultyHeap implements BundleActivator, HeapExporter {
    private Tally tally;
    private Random random;
    private String name;
    private MemfdSource source;
    private ServiceRegistration<HeapExporter> registration;
    private volatile boolean left;

    /** Created by the framework. */
    public FaultyHeap() {}

    @Override
    public void start(BundleContext context) {
        tally = context.getService(context.getServiceReference(Tally.class));
        random = tally.random();
        name = context.getBundle().getHeaders().get("Soak-Heap");
        left = false;
        source = MemfdSource.open(name, Syscalls.linux(), Headroom.machine());
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, name);
        properties.put(HeapProperties.ID, name.charAt(name.length() - 1) & 63);
        properties.put(HeapProperties.TYPE, "faulty");
        properties.put(HeapProperties.PRIORITY, random.nextInt(-2, 3));
        registration = context.registerService(HeapExporter.class, this, FrameworkUtil.asDictionary(properties));
    }

    @Override
    public void stop(BundleContext context) {
        registration.unregister();
        left = true;
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        if (left && tally.drainsInFull()) { // after a short drain, late calls are permitted, as documented
            tally.fail("allocate", new AssertionError("heap '" + name + "' was entered after it had left"));
        }
        int fate = random.nextInt(1000);
        if (fate < 40) {
            throw HeapException.of(Errno.ENOMEM, name, "no memory, this time");
        } else if (fate < 80) {
            throw HeapException.of(Errno.ENODEV, name, "no device, this time");
        } else if (fate < 100) {
            throw new IllegalArgumentException("a vendor's mistake");
        } else if (fate < 110) {
            return null;
        } else if (fate < 120) {
            throw new AssertionError("a vendor's other mistake");
        } else if (fate < 150) {
            pause(random.nextInt(1, 20));
        }
        HeapBuffer memory = source.allocate(request);
        tally.made();
        return new FaultyBuffer(tally, name, random, memory, fate > 990 ? request.size() - 1 : memory.size());
    }

    private static void pause(int millis) {
        try {
            Thread.sleep(millis); // a heap that blocks
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
