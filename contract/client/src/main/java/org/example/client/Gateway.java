// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.spi.HeapVerifier;
import org.osgi.framework.BundleContext;

/**
 * Services of the gateway that the checks use.
 *
 * @param context of the client
 * @param broker of the client
 * @param monitor of the client
 */
record Gateway(BundleContext context, HeapBroker broker, HeapMonitor monitor) {
    static final String OWN = "kept-own";
    static final String POOLED = "kept-pooled";
    static final String REGION = "kept-region";
    static final String EMULATED = "kept-emulated";
    /** Bytes of the heaps {@link #OWN}, {@link #REGION} and {@link #EMULATED}. */
    static final long CAPACITY = 1 << 20;

    ClientId client() {
        return ClientId.ofBundle(SelfCheck.CLIENT, context.getBundle().getLocation());
    }

    HeapInfo heap(String name) {
        return broker.heaps().stream()
                .filter(heap -> heap.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no heap " + name));
    }

    /** {@return a page of a heap} */
    DmaBuf page(String heap) {
        return broker.allocate(AllocationRequest.of(1).withHeaps(heap));
    }

    /** {@return the verifier of the test kit} */
    HeapVerifier verifier() {
        return context.getService(context.getServiceReference(HeapVerifier.class));
    }

    /** {@return number of charged buffers of this client, live or lingering} */
    long charged() {
        return monitor.buffers().stream()
                .filter(buffer -> buffer.client().equals(client()))
                .count();
    }
}
