// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.osgi.framework.Bundle;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;

/** Factory of the monitor service. Each bundle gets its own service object with its own peaks. */
public final class Monitors implements ServiceFactory<HeapMonitor> {
    private final Ledger ledger;
    private final HeapRegistry registry;
    private final HeapListing listing;
    private final LeakDetector leaks;

    public Monitors(Ledger ledger, HeapRegistry registry, HeapListing listing, LeakDetector leaks) {
        this.ledger = ledger;
        this.registry = registry;
        this.listing = listing;
        this.leaks = leaks;
    }

    @Override
    public HeapMonitor getService(Bundle bundle, ServiceRegistration<HeapMonitor> registration) {
        return new Monitor(ledger, registry, listing, leaks);
    }

    @Override
    public void ungetService(Bundle bundle, ServiceRegistration<HeapMonitor> registration, HeapMonitor monitor) {
        ((Monitor) monitor).close();
    }
}
