// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.ref.ReferenceQueue;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.ClientHeapAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.allocation.DemandSources;
import org.dmabuf.heap.broker.allocation.Planner;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.buffer.SharedBuffer;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.service.BrokerServices;
import org.dmabuf.heap.broker.service.Clients;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;

/**
 * The parts of the broker around one buffer, without a framework and without a thread. Deferred work waits until {@link
 * #settle()}.
 */
public final class Parts {
    private static final Descriptors DESCRIPTORS = new Descriptors(Syscalls.linux());
    private static final HeapDescription DESCRIPTION =
            HeapDescription.named("stress", Map.of(HeapProperties.NAME, "stress"), "stress");
    private static final ServiceRegistration<?> REGISTRATION =
            proxy(ServiceRegistration.class, (self, method, arguments) -> null);
    private static final BundleContext CONTEXT = proxy(
            BundleContext.class,
            (self, method, arguments) -> method.getName().equals("registerService") ? REGISTRATION : null);

    /** A bundle that stays active. */
    public static final Bundle BUNDLE = proxy(Bundle.class, (self, method, arguments) -> switch (method.getName()) {
        case "getSymbolicName", "toString" -> "org.example.stress";
        case "getBundleContext" -> CONTEXT;
        case "getLocation" -> "test:stress";
        case "hashCode" -> System.identityHashCode(self);
        case "equals" -> self == arguments[0];
        default -> throw new UnsupportedOperationException(method.toString());
    });

    public final Memory memory = new Memory();
    private final List<Reaper> reapers = new ArrayList<>();
    public final Ledger ledger = new Ledger(this::reaper);
    public final HeapAccount account = ledger.open("stress");
    public final Client client;

    /** The number of reported leaks. */
    public final AtomicInteger leaks = new AtomicInteger();

    private final BufferServices services = new BufferServices(
            DESCRIPTORS,
            Optional.empty(),
            new DeviceFences(Syscalls.linux()),
            new BrokerEvents() {
                @Override
                public void leaked(String heap, ClientId client, String name, long size, String site) {
                    leaks.incrementAndGet();
                }
            },
            new ReferenceQueue<>());

    public Parts() {
        this(Rules.NONE);
    }

    /** Creates the parts with quotas. */
    public Parts(Rules rules) {
        ledger.apply(rules);
        client = new Client(ledger.enter(ClientId.ofBundle("org.example.stress", "test:stress")), new LeakDetector());
    }

    /** {@return a reaper without a thread} */
    private Reaper reaper(String heap) {
        Reaper made = new Reaper(heap, Duration.ofSeconds(2), 0);
        reapers.add(made);
        return made;
    }

    /** {@return a charge of 0 bytes} */
    public Charge charge() {
        return ledger.charge(client.account(), "", account);
    }

    /** {@return an uncharged buffer of {@link #memory} with one hold} */
    public SharedBuffer buffer(Charge charge) {
        return new SharedBuffer(
                memory, Memory.SIZE, 1, DESCRIPTION, charge, ExportMode.READ_WRITE, Optional.empty(), services);
    }

    /** {@return the buffer of {@link #memory}, charged, with one hold} */
    public SharedBuffer buffer() {
        Charge charge = charge();
        SharedBuffer buffer = buffer(charge);
        charge.begin(buffer);
        return buffer;
    }

    /** {@return the client's reference to a new buffer of {@link #memory}} */
    public BufferReference reference() {
        return BufferReference.open(client, buffer());
    }

    public Clients clients() {
        return new Clients(new BrokerServices(
                ledger, allocator(new HeapRegistry(ledger)), null, null, null, new LeakDetector(), DESCRIPTORS));
    }

    /** {@return an allocator over the heaps of a registry} */
    public Allocator allocator(HeapRegistry registry) {
        return new Allocator(registry, ledger, services, absent());
    }

    /** {@return a planner over the heaps of a registry} */
    public Planner planner(HeapRegistry registry, DemandSources sources) {
        return new Planner(registry, absent(), allocator(registry), sources);
    }

    private static AbsentHeaps absent() {
        return new AbsentHeaps(new UnavailableHeaps(), new StartFailures());
    }

    /** {@return a publication of a buffer of {@link #memory}, which has no other reference} */
    public static Publication published(Clients clients, SharedBuffer buffer) {
        try (BufferReference reference = BufferReference.open(clients.of(BUNDLE), buffer)) {
            return clients.getService(BUNDLE, null).publish(reference, "stress");
        }
    }

    /** {@return the buffer of a publication, as a bundle that gets the service sees it} */
    @SuppressWarnings("unchecked") // the factory that the framework would call
    public static PublishedBuffer got(Publication publication) {
        return ((ServiceFactory<PublishedBuffer>) publication).getService(BUNDLE, null);
    }

    public static RegisteredHeap arrive(HeapRegistry registry, HeapExporter exporter) {
        return registry.arrived(1, exporter, Map.of(HeapProperties.NAME, "stress"), "org.example.stress");
    }

    /** Removes a heap as the component does. */
    public static void depart(HeapRegistry registry) {
        RegisteredHeap leaving = registry.leaving(1);
        leaving.gate().close(Long.MAX_VALUE >> 1);
        registry.gone(leaving);
    }

    /** Does the deferred work that a reaper's thread would do. */
    public void settle() {
        reapers.forEach(Reaper::drain);
    }

    /** {@return the number of buffers that are still charged} */
    public int charged() {
        long used = client.account().settled() ? 0 : 1;
        return (int) (account.buffers()
                + account.bytes()
                + used
                + Math.abs(account.snapshot(share()).liveBytes()));
    }

    private ClientHeapAccount share() {
        return client.account().in(account);
    }

    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(Parts.class.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
