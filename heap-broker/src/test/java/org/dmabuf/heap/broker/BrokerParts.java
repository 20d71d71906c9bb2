// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.linux.Descriptors;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.MemfdSource;
import org.dmabuf.heap.linux.HolderTracker;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;

/** The broker's parts, put together as the component does, without a framework. */
final class BrokerParts implements AutoCloseable {
    final Ledger ledger;
    final HeapRegistry table;
    final HolderTracker peers = new HolderTracker();
    final RecordedBrokerEvents events = new RecordedBrokerEvents();
    /** Not started: what a test has made and does not mention again is not to go when the collector happens to come. */
    final LeakDetector leaks = new LeakDetector();
    final BufferServices services;
    final Allocator allocator;
    final WaitingHeaps waiting = new WaitingHeaps();
    final Adoption adoption;
    final HeapListing listing;
    final Clients clients;
    /** The client of a test that needs only one. */
    final Client client;

    private final Syscalls syscalls;
    private long lastService;

    BrokerParts() {
        this(Syscalls.linux());
    }

    BrokerParts(Syscalls syscalls) {
        this(syscalls, new Ledger());
    }

    /** With less patience for heaps that hang. */
    BrokerParts(Duration patience) {
        this(Syscalls.linux(), new Ledger(heap -> new Reaper(heap, patience, 4)));
    }

    private BrokerParts(Syscalls syscalls, Ledger ledger) {
        this.syscalls = syscalls;
        this.ledger = ledger;
        table = new HeapRegistry(ledger);
        client = new Client(ledger.enter("org.example.camera"), "test:camera", leaks);
        services = new BufferServices(new Descriptors(syscalls), Optional.of(peers), events, leaks.lost());
        allocator = new Allocator(table, ledger, services);
        adoption = new Adoption(ledger, services, syscalls, Headroom.machine());
        listing = new HeapListing(table, waiting, adoption);
        clients = new Clients(ledger, allocator, adoption, listing, leaks);
    }

    /** Rules whose every entry is understood. */
    static Rules rules(String[] quotaHeap, String[] quotaClient, String[] quotaClientOnHeap, String[] allow) {
        return RulesParser.parse(quotaHeap, quotaClient, quotaClientOnHeap, allow, slip -> {
            throw new AssertionError(slip);
        });
    }

    RegisteredHeap heap(String name, HeapExporter exporter) {
        return heap(name, exporter, Map.of());
    }

    RegisteredHeap heap(String name, HeapExporter exporter, Map<String, ?> properties) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put(HeapProperties.NAME, name);
        return table.arrived(++lastService, exporter, all, "org.example." + name);
    }

    /** A heap of real memory. */
    RegisteredHeap memfd(String name) {
        MemfdSource source = MemfdSource.open(name, syscalls, Headroom.machine());
        return heap(name, source, source.properties());
    }

    void remove(RegisteredHeap heap) {
        RegisteredHeap leaving = table.leaving(heap.service());
        leaving.gate().close(0);
        table.gone(leaving);
    }

    BufferReference allocate(AllocationRequest request) {
        return (BufferReference) allocator.allocate(client, request);
    }

    BufferReference allocate(long size) {
        return allocate(AllocationRequest.of(size));
    }

    HeapInfo info(String name, HeapState state) {
        return listing.heaps().stream()
                .filter(info -> info.name().equals(name) && info.state() == state)
                .findFirst()
                .orElseThrow(() -> new AssertionError("no heap '" + name + "' that is " + state));
    }

    @Override
    public void close() {
        client.stop("the test is over");
        leaks.stop();
        ledger.stop();
        peers.close();
    }
}
