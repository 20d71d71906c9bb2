// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.lang.System.Logger.Level;
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
import org.osgi.service.component.annotations.Modified;

/**
 * Heap that consists only of ready-made parts: settings, a choice of back ends, a source with a pool, and their
 * registration.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = PooledHeap.PID)
public final class PooledHeap {
    static final String PID = "org.example.vendor.pooled";

    /** Settings of the heap. */
    public @interface Config {
        /** {@return the heap's unique name} */
        String heap_name() default "kept-pooled";

        /** {@return the heap's bit in a mask} */
        int heap_id() default 50;

        /** {@return the heap's priority in a request that names no heaps} */
        int heap_priority() default -50;

        /** {@return the back end} */
        String backend() default BackEnds.AUTO;

        /** {@return whether there is a pool} */
        boolean pooled() default true;

        /** {@return the budget of the pool} */
        String pool() default "1M";

        /** {@return how long the pool keeps idle memory, in seconds} */
        int idle() default 10;
    }

    private static final System.Logger LOG = System.getLogger(PooledHeap.class.getName());

    private final HeapStart start;

    @Activate
    public PooledHeap(BundleContext context, Config config, Map<String, Object> properties) {
        start = HeapStart.of(context);
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        HeapSettings settings =
                HeapSettings.of(PID, "kept", properties, config.heap_name(), config::heap_id, config::heap_priority);
        settings.unread(Config.class).forEach(line -> LOG.log(Level.WARNING, line));
        start.configure(
                settings,
                () -> backEnds(config, settings),
                backEnds -> backEnds.choose(config.backend()).opened());
    }

    private static BackEnds backEnds(Config config, HeapSettings settings) {
        int idle = settings.number("idle", config::idle, 1, 3600);
        PoolBudget none = PoolBudget.none().withIdle(Duration.ofSeconds(idle));
        PoolBudget budget = settings.flag("pooled", config::pooled)
                ? none.withRecycled(settings.bytes("pool", config.pool()))
                : none;
        BackEnds backEnds = new BackEnds(settings).with("memfd", () -> open(settings.heap(), budget));
        backEnds.requireWord(config.backend());
        return backEnds;
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
