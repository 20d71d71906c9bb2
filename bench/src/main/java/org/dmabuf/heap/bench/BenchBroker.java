// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench;

import java.lang.ref.ReferenceQueue;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.event.BrokerEventsFanOut;
import org.dmabuf.heap.broker.event.FlightRecorderEvents;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;

/** Broker without a framework, as a gateway assembles it: with accounting, and without an active recording. */
public final class BenchBroker implements AutoCloseable {
    private final Ledger ledger = new Ledger();
    private final HeapRegistry registry = new HeapRegistry(ledger);
    private final HolderTracker holders = new HolderTracker();
    private final Allocator allocator;
    private int heaps;

    /** Starts a broker without heaps. */
    public BenchBroker() {
        BrokerEventsFanOut events = new BrokerEventsFanOut();
        events.add(new FlightRecorderEvents());
        allocator = new Allocator(
                registry,
                ledger,
                new BufferServices(
                        new Descriptors(Syscalls.linux()),
                        Optional.of(holders),
                        new DeviceFences(Syscalls.linux()),
                        events,
                        new ReferenceQueue<>()),
                new AbsentHeaps(new UnavailableHeaps(), new StartFailures()));
        ledger.start();
    }

    /** Adds a heap. */
    public void add(String name, HeapExporter exporter, Map<String, ?> properties) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put(HeapProperties.NAME, name);
        registry.arrived(heaps++, exporter, all, "bench");
    }

    /** {@return a client for a bundle of the given name} */
    public Client client(String bundle) {
        return new Client(ledger.enter(ClientId.ofBundle(bundle, "file:" + bundle)), new LeakDetector());
    }

    /** {@return a buffer, which the caller closes} */
    public DmaBuf allocate(Client client, AllocationRequest request) {
        return allocator.allocate(client, request);
    }

    /** Waits until the mappings of a heap's buffers are removed whose arenas have ended. */
    public void settle(String heap) {
        registry.routes().named(heap).account().reaper().settle(System.nanoTime() + Reaper.PATIENCE);
    }

    /** {@return the heaps by name, mask and priority} */
    public RoutingTable routes() {
        return registry.routes();
    }

    @Override
    public void close() {
        ledger.stop();
        holders.close();
    }
}
