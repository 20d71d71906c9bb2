// SPDX-License-Identifier: Apache-2.0
package org.example.banked;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/**
 * Heap whose memory is in one bank of the vendor's memory controller. It announces the bank, and the kind of demand
 * that compares it. The operator of the kind is one of the API, so no code of this bundle decides on a request.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = BankedHeap.PID)
public final class BankedHeap {
    static final String PID = "org.example.banked.heap";
    /** The property of the heap. Its name has a dot, because names without a dot are facts of the broker. */
    static final String BANK = "acme.bank";
    /** The number of the bank. A real heap asks its driver. */
    static final int NUMBER = 2;

    private static final int ID = 41;
    private static final int AFTER_OTHERS = -20;

    private final HeapStart start;

    /**
     * Starts the heap.
     *
     * @param context the bundle's context
     * @param properties the configuration
     */
    @Activate
    public BankedHeap(BundleContext context, Map<String, Object> properties) {
        HeapSettings settings = HeapSettings.of(PID, "banked", properties, "banked", () -> ID, () -> AFTER_OTHERS);
        start = HeapStart.begin(
                context,
                settings,
                () -> OpenedHeap.of(MemfdSource.open(settings.heap()))
                        .with(BANK, NUMBER)
                        .with(HeapProperties.CONSTRAINT_KINDS, "bank one-of " + BANK));
    }

    @Deactivate
    void stop() {
        start.close();
    }
}
