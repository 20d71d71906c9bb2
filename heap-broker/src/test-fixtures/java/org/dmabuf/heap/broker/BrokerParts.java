// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.account.RulesParser;
import org.dmabuf.heap.broker.allocation.Adoption;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.allocation.DemandSources;
import org.dmabuf.heap.broker.allocation.Planner;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.service.BrokerServices;
import org.dmabuf.heap.broker.service.Clients;
import org.dmabuf.heap.broker.service.HeapListing;
import org.dmabuf.heap.broker.service.Monitors;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;

/** Parts of the broker, assembled as the component does it, without a framework. */
public final class BrokerParts implements AutoCloseable {
    public final Ledger ledger;
    public final HeapRegistry registry;
    final HolderTracker holders = new HolderTracker();
    public final DeviceFences fences;
    public final RecordedBrokerEvents events = new RecordedBrokerEvents();
    /** Not started, so that a garbage collection does not end a reference that a test no longer mentions. */
    public final LeakDetector leaks = new LeakDetector();

    public final BufferServices services;
    public final Allocator allocator;
    public final UnavailableHeaps unavailable = new UnavailableHeaps();
    public final AbsentHeaps absent = new AbsentHeaps(unavailable, new StartFailures());
    public final DemandSources sources = new DemandSources();
    public final Planner planner;
    public final Adoption adoption;
    public final HeapListing listing;
    final BrokerServices brokerServices;
    public final Clients clients;
    /** The client of tests that need only one. */
    public final Client client;

    private final Syscalls syscalls;
    private long lastService;

    public BrokerParts() {
        this(Syscalls.linux());
    }

    public BrokerParts(Syscalls syscalls) {
        this(syscalls, new Ledger());
    }

    /** Creates parts that wait for hanging heaps for a shorter time. */
    public BrokerParts(Duration patience) {
        this(Syscalls.linux(), new Ledger(heap -> new Reaper(heap, patience, 4)));
    }

    private BrokerParts(Syscalls syscalls, Ledger ledger) {
        this.syscalls = syscalls;
        this.ledger = ledger;
        registry = new HeapRegistry(ledger);
        client = new Client(ledger.enter(bundle("org.example.camera")), leaks);
        Descriptors descriptors = new Descriptors(syscalls);
        fences = new DeviceFences(syscalls);
        services = new BufferServices(descriptors, Optional.of(holders), fences, events, leaks.lost());
        allocator = new Allocator(registry, ledger, services, absent);
        planner = new Planner(registry, absent, allocator, sources);
        adoption = new Adoption(ledger, services, syscalls, Headroom.machine());
        listing = new HeapListing(registry, absent);
        brokerServices = new BrokerServices(ledger, allocator, planner, adoption, listing, leaks, descriptors);
        clients = new Clients(brokerServices);
    }

    /** {@return the identity of a {@link FakeBundle}} */
    public static ClientId bundle(String symbolicName) {
        return ClientId.ofBundle(symbolicName, "test:" + symbolicName);
    }

    /** Parses rules that must all be valid. */
    public static Rules rules(
            String[] quotaHeap, String[] quotaClient, String[] quotaClientOnHeap, String[] allow, String... views) {
        return RulesParser.parse(quotaHeap, quotaClient, quotaClientOnHeap, allow, views, (setting, entry, right) -> {
            throw new AssertionError(setting + " = " + entry + ": " + right);
        });
    }

    public RegisteredHeap heap(String name, HeapExporter exporter) {
        return heap(name, exporter, Map.of());
    }

    public RegisteredHeap heap(String name, HeapExporter exporter, Map<String, ?> properties) {
        Map<String, Object> all = new HashMap<>(properties);
        all.put(HeapProperties.NAME, name);
        return registry.arrived(++lastService, exporter, all, "org.example." + name);
    }

    /** Registers a heap of real memory. */
    public RegisteredHeap memfd(String name) {
        MemfdSource source = MemfdSource.open(name, syscalls, Headroom.machine());
        return heap(name, source, source.properties());
    }

    public void remove(RegisteredHeap heap) {
        RegisteredHeap leaving = registry.leaving(heap.service());
        leaving.gate().close(0);
        registry.gone(leaving);
    }

    public BufferReference allocate(AllocationRequest request) {
        return allocator.allocate(client, request);
    }

    public BufferReference[] allocate(AllocationRequest request, int count) {
        return allocator.allocate(client, request, count);
    }

    public BufferReference allocate(long size) {
        return allocate(AllocationRequest.of(size));
    }

    /** {@return another monitor, with its own peaks} */
    public HeapMonitor monitor() {
        return new Monitors(ledger, registry, listing, leaks).getService(null, null);
    }

    /** {@return the listing for the only client} */
    public List<HeapInfo> heaps() {
        return listing.heaps(ledger.rules(), client.id());
    }

    public HeapInfo info(String name, HeapState state) {
        return heaps().stream()
                .filter(info -> info.name().equals(name) && info.state() == state)
                .findFirst()
                .orElseThrow(() -> new AssertionError("no heap '" + name + "' that is " + state));
    }

    @Override
    public void close() {
        client.stop("the test is over");
        leaks.stop();
        ledger.stop();
        holders.close();
        fences.close();
    }
}
