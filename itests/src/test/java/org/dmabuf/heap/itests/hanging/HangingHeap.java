// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.hanging;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;

/** A vendor's bundle with two heaps: one hangs when it is asked for its usage, and one has an invalid name. */
public final class HangingHeap implements BundleActivator, HeapExporter {
    private final CountDownLatch end = new CountDownLatch(1);
    private MemfdSource source;

    @Override
    public void start(BundleContext context) {
        source = MemfdSource.open("hanging");
        register(context, this, "hanging");
        register(context, source, "an invalid name");
    }

    private void register(BundleContext context, HeapExporter heap, String name) {
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, name);
        properties.put(HeapProperties.PRIORITY, -1);
        context.registerService(HeapExporter.class, heap, FrameworkUtil.asDictionary(properties));
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        return source.allocate(request);
    }

    @Override
    public HeapUsage usage() {
        try {
            end.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return HeapUsage.unknown();
    }

    @Override
    public void stop(BundleContext context) {
        end.countDown();
    }
}
