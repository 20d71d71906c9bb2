// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.time.Duration;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.BackEnds;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Heap of ready-made parts only: settings, a choice of back ends, a pool over a source, and their registration. */
@Component(immediate = true, service = {}, configurationPid = PooledHeap.PID)
public final class PooledHeap {
    static final String PID = "org.example.vendor.pooled";

    /** Settings of the heap. */
    public @interface Config {
        /** {@return the heap's unique name} */
        String heap_name() default "kept-pooled";

        /** {@return the heap's bit in a mask} */
        int heap_id() default 50;

        /** {@return the heap's turn when a request names none} */
        int heap_priority() default -50;

        /** {@return what makes the memory} */
        String backend() default BackEnds.AUTO;

        /** {@return how much the pool keeps} */
        String pool() default "1M";
    }

    private final HeapStart start;

    @Activate
    public PooledHeap(BundleContext context, Config config, Map<String, Object> properties) {
        HeapSettings settings = HeapSettings.of(
                PID, "kept", properties, config.heap_name(), config::heap_id, config::heap_priority);
        PoolBudget budget =
                PoolBudget.none().withRecycled(settings.bytes("pool", config.pool())).withIdle(Duration.ofSeconds(10));
        BackEnds backEnds = new BackEnds(settings).with("memfd", () -> open(settings.heap(), budget));
        start = HeapStart.begin(
                context, settings, () -> backEnds.choose(config.backend()).opened());
    }

    private static OpenedHeap open(String heap, PoolBudget budget) {
        return OpenedHeap.of(MemfdSource.open(heap))
                .then(source -> PooledSource.over(source, heap, budget))
                .with(HeapProperties.QUOTA, 64L << 20);
    }

    @Deactivate
    void stop() {
        start.close();
    }
}
