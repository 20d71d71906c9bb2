// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.account.RulesParser;
import org.dmabuf.heap.broker.allocation.Adoption;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.allocation.DemandSources;
import org.dmabuf.heap.broker.allocation.Planner;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.event.BrokerEventsFanOut;
import org.dmabuf.heap.broker.event.FlightRecorderEvents;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapChangeReporter;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.broker.service.BrokerServices;
import org.dmabuf.heap.broker.service.Clients;
import org.dmabuf.heap.broker.service.HeapConditions;
import org.dmabuf.heap.broker.service.HeapListing;
import org.dmabuf.heap.broker.service.Monitors;
import org.dmabuf.heap.linux.component.Settings;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.DeviceDemands;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.osgi.annotation.bundle.Capability;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component of the broker. It tracks heaps as they arrive and leave, and offers {@link HeapBroker} to bundles.
 *
 * <p>It registers HeapBroker itself, as a service factory. With a component of scope bundle, each get and unget of the
 * service would create and destroy a broker.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = Rules.PID)
@Designate(ocd = BrokerComponent.Config.class)
@Capability(namespace = "osgi.service", attribute = "objectClass:List<String>='org.dmabuf.heap.HeapBroker'")
@Capability(namespace = "osgi.service", attribute = "objectClass:List<String>='org.dmabuf.heap.HeapMonitor'")
public final class BrokerComponent {
    private static final Logger LOG = LoggerFactory.getLogger(BrokerComponent.class);
    /** The longest drain. Declarative Services waits 5 s for an unbind, and the drain must end before. */
    private static final int LONGEST_DRAIN_MILLIS = 4000;

    private static final int USUAL_DRAIN_MILLIS = 2000;

    /** The configuration of the broker. A change takes effect without a restart. */
    @ObjectClassDefinition(name = "DMA-BUF heap broker")
    public @interface Config {
        /** {@return milliseconds that the broker waits for calls inside a leaving heap, at most 4000} */
        @AttributeDefinition(
                name = "Drain, ms",
                description = "The time that the broker waits for calls inside a leaving heap; at most 4000",
                min = "0",
                max = "4000")
        int drain_ms() default USUAL_DRAIN_MILLIS;

        /** {@return entries {@code HEAP=SIZE}: the most bytes of each heap that all clients together may use} */
        @AttributeDefinition(
                name = "Quota of a heap",
                description = "Entries HEAP=SIZE, separated by blanks; SIZE is bytes, or a number with K, M, G or T")
        String[] quota_heap() default {};

        /** {@return entries {@code CLIENT=SIZE}: the most bytes that a client may use} */
        @AttributeDefinition(
                name = "Quota of a client",
                description = "Entries CLIENT=SIZE, separated by blanks. CLIENT is a symbolic name, a location (it has"
                        + " a colon) or NAME@LOCATION; for a client outside the framework it is KIND:NAME, such as"
                        + " uid:1000. * matches any text. The first matching entry applies")
        String[] quota_client() default {};

        /** {@return entries {@code CLIENT/HEAP=SIZE}: the most bytes of one heap that such a client may use} */
        @AttributeDefinition(
                name = "Quota of a client on one heap",
                description = "Entries CLIENT/HEAP=SIZE, separated by blanks. In CLIENT, * matches any text")
        String[] quota_client_on_heap() default {};

        /** {@return entries {@code HEAP=CLIENT}: the only clients that may use the named heap} */
        @AttributeDefinition(
                name = "Clients of a heap",
                description = "Entries HEAP=CLIENT, separated by blanks. In CLIENT, * matches any text. If a heap has"
                        + " entries, only the listed clients may use it")
        String[] allow() default {};

        /** {@return entries {@code CLIENT}: the bundles that may open views for clients outside the framework} */
        @AttributeDefinition(
                name = "Bundles that serve foreign clients",
                description = "The bundles that may open views for clients outside the framework, separated by blanks:"
                        + " a symbolic name, a location (it has a colon) or NAME@LOCATION. * matches any text."
                        + " If empty, no bundle may")
        String[] views_allow() default {"org.dmabuf.heap.native"};

        /** {@return whether the allocation site of each buffer is recorded, for dumps and for leak reports} */
        @AttributeDefinition(
                name = "Allocation sites",
                description = "Record where each buffer is allocated, for dumps and for reports of lost buffers;"
                        + " costs microseconds per allocation")
        boolean allocation_sites() default false;

        /** {@return whether memfds are adopted although their senders can still punch holes into them} */
        @AttributeDefinition(
                name = "Adopt unsealed memory",
                description = "Adopt memfds that are sealed against shrinking only. Their senders can remove pages at"
                        + " any time, so the whole size counts against the machine's memory while one is held")
        boolean adopt_unsealed() default false;
    }

    private final BundleContext context;
    private final BrokerEvents flightEvents = flightRecorderEvents();
    private final BrokerEventsFanOut fanOut = new BrokerEventsFanOut();
    private final LeakDetector leaks = new LeakDetector();
    private final Ledger ledger = new Ledger();
    private final HeapRegistry registry = new HeapRegistry(ledger);
    private final UnavailableHeaps unavailable = new UnavailableHeaps();
    private final StartFailures failures = new StartFailures();
    private final AbsentHeaps absent = new AbsentHeaps(unavailable, failures);
    private final DemandSources demandSources = new DemandSources();
    private final HeapChangeReporter changeReporter;
    private final HolderTracker holders = new HolderTracker();
    private final DeviceFences fences = new DeviceFences(Syscalls.linux());
    private final HeapConditions conditions;
    private final Adoption adoption;
    private final HeapListing listing;
    private final Clients clients;
    private volatile long drainNanos = TimeUnit.MILLISECONDS.toNanos(USUAL_DRAIN_MILLIS);
    /** Whether quotas and permissions were read at least once. */
    private boolean configured;

    private ServiceRegistration<HeapBroker> registration;
    private ServiceRegistration<HeapMonitor> monitor;

    /**
     * Creates the component, before any heap is bound.
     *
     * @param context the context of the broker's bundle
     * @param config the first configuration
     * @param properties the properties of that configuration
     */
    @Activate
    public BrokerComponent(BundleContext context, Config config, Map<String, Object> properties) {
        this.context = context;
        fanOut.add(flightEvents);
        conditions = new HeapConditions(context, registry);
        BrokerEventsFanOut changes = new BrokerEventsFanOut(); // separate, because conditions need no other event
        changes.add(conditions);
        changes.add(fanOut);
        changeReporter = new HeapChangeReporter(registry, changes);
        Descriptors descriptors = new Descriptors(Syscalls.linux());
        BufferServices services = new BufferServices(descriptors, Optional.of(holders), fences, fanOut, leaks.lost());
        adoption = new Adoption(ledger, services, Syscalls.linux(), Headroom.machine());
        Allocator allocator = new Allocator(registry, ledger, services, absent);
        listing = new HeapListing(registry, absent);
        clients = new Clients(new BrokerServices(
                ledger,
                allocator,
                new Planner(registry, absent, allocator, demandSources),
                adoption,
                listing,
                leaks,
                descriptors));
        modified(config, properties);
    }

    /**
     * Returns the receiver for Flight Recorder, if Flight Recorder exists. A reduced Java runtime may lack it, and a
     * framework may be configured to hide its package.
     */
    private static BrokerEvents flightRecorderEvents() {
        try {
            return new FlightRecorderEvents();
        } catch (LinkageError e) {
            LOG.info("events are not recorded in Flight Recorder: {}", e.toString());
            return new BrokerEvents() {};
        }
    }

    @Activate
    @SuppressWarnings("unchecked") // registration by class name returns an untyped registration
    void activate() {
        try {
            leaks.start();
            ledger.start();
            context.addBundleListener(clients);
            monitor = (ServiceRegistration<HeapMonitor>) context.registerService(
                    HeapMonitor.class.getName(),
                    new Monitors(ledger, registry, listing, leaks),
                    FrameworkUtil.asDictionary(Map.of()));
            registration = (ServiceRegistration<HeapBroker>)
                    context.registerService(HeapBroker.class.getName(), clients, FrameworkUtil.asDictionary(Map.of()));
        } finally {
            if (registration == null) { // after a failure, deactivate is not called
                end();
                context.removeBundleListener(clients);
                if (monitor != null) {
                    monitor.unregister();
                }
            }
        }
    }

    @Modified
    void modified(Config config, Map<String, Object> properties) {
        Settings settings = Settings.of(Rules.PID, properties);
        settings.unread(Config.class).forEach(LOG::warn);
        read(() -> {
            int millis = settings.number("drain.ms", config::drain_ms, 0, LONGEST_DRAIN_MILLIS);
            drainNanos = TimeUnit.MILLISECONDS.toNanos(millis);
        });
        read(() -> ledger.keepSites(settings.flag("allocation.sites", config::allocation_sites)));
        read(() -> adoption.acceptUnsealed(settings.flag("adopt.unsealed", config::adopt_unsealed)));
        List<String> slips = new ArrayList<>();
        Rules rules = RulesParser.parse(
                config.quota_heap(),
                config.quota_client(),
                config.quota_client_on_heap(),
                config.allow(),
                config.views_allow(),
                (setting, entry, right) ->
                        slips.add(settings.wrong(setting, entry, right).reason()));
        if (slips.isEmpty() || !configured) { // at the start there are no earlier rules to keep
            ledger.apply(rules);
        }
        for (String slip : slips) {
            LOG.error(
                    "{}; {}",
                    slip,
                    configured
                            ? "the new quotas and permissions are not applied, and the previous ones stay in force"
                            : "the other quotas and permissions apply; the heap of an invalid allow entry is closed to"
                                    + " clients without a valid entry");
        }
        configured = true;
    }

    /** Reads one setting. An invalid value does not affect other settings. */
    private static void read(Runnable setting) {
        try {
            setting.run();
        } catch (HeapException e) {
            LOG.error("{}; the previous value stays in force", e.reason());
        }
    }

    @Deactivate
    void deactivate() {
        try {
            conditions.close();
            unlessGone(monitor::unregister);
            unlessGone(registration::unregister);
            drainAll();
            unlessGone(() -> context.removeBundleListener(clients));
            clients.stopAll();
        } finally {
            end();
        }
    }

    /**
     * Unregisters a service, unless the framework already did. That happens if the bundle stopped before Declarative
     * Services deactivated the component.
     */
    private static void unlessGone(Runnable withdrawal) {
        try {
            withdrawal.run();
        } catch (IllegalStateException e) {
            LOG.debug("already unregistered by the framework", e);
        }
    }

    private void end() {
        try {
            leaks.stop();
        } finally {
            try {
                ledger.stop();
            } finally {
                holders.close();
                fences.close();
                flightEvents.close();
            }
        }
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void addBrokerEvents(BrokerEvents events) {
        fanOut.add(events);
    }

    void removeBrokerEvents(BrokerEvents events) {
        fanOut.remove(events);
    }

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    void setComponentRuntime(ServiceComponentRuntime runtime) {
        failures.runtime(runtime);
    }

    /** Ignores a runtime that another one has already replaced. */
    void unsetComponentRuntime(ServiceComponentRuntime runtime) {
        failures.forget(runtime);
    }

    @Reference(
            service = DeviceDemands.class,
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            updated = "changeDeviceDemands")
    void addDeviceDemands(ServiceReference<DeviceDemands> service) {
        DeviceDemands source = context.getService(service);
        Bundle bundle = service.getBundle();
        if (bundle != null) { // null if it left before it was bound
            String name = Clients.name(bundle);
            demandSources.add(id(service), source != null ? source : failed(name), name);
        }
    }

    /** {@return a source that refuses each device: without its demands a device could get memory that it cannot use} */
    private static DeviceDemands failed(String bundle) {
        LOG.error(
                "bundle {} gave no source of demands of devices; requests for devices fail until it is restarted",
                Printable.of(bundle));
        return device -> {
            throw HeapException.of(
                    Errno.EIO,
                    "finding the demands of device " + Printable.of(device) + " failed: bundle " + Printable.of(bundle)
                            + " gave no source of demands; see its error in the log, and restart it");
        };
    }

    void changeDeviceDemands(ServiceReference<DeviceDemands> service) {
        demandSources.changed();
    }

    void removeDeviceDemands(ServiceReference<DeviceDemands> service) {
        demandSources.remove(id(service));
        try {
            context.ungetService(service);
        } catch (RuntimeException | LinkageError e) { // from a vendor's service factory
            LOG.warn("source of demands of devices: failed to unget its service", e);
        }
    }

    @Reference(
            service = UnavailableHeap.class,
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            updated = "addUnavailableHeap")
    void addUnavailableHeap(ServiceReference<UnavailableHeap> service) {
        Bundle bundle = service.getBundle();
        if (bundle != null) { // null if it left before it was bound
            unavailable.put(id(service), FrameworkUtil.asMap(service.getProperties()), Clients.name(bundle));
        }
    }

    void removeUnavailableHeap(ServiceReference<UnavailableHeap> service) {
        unavailable.remove(id(service));
    }

    @Reference(
            service = HeapExporter.class,
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            updated = "changeHeap")
    void addHeap(ServiceReference<HeapExporter> service) {
        HeapExporter exporter = context.getService(service);
        Bundle bundle = service.getBundle();
        if (bundle == null) {
            return; // it left before it was bound
        }
        registry.arrived(id(service), exporter, FrameworkUtil.asMap(service.getProperties()), Clients.name(bundle));
        changeHeap(service); // repeats a change that reached the registry before arrived did
    }

    void changeHeap(ServiceReference<HeapExporter> service) {
        registry.changed(id(service), () -> FrameworkUtil.asMap(service.getProperties()));
        changeReporter.reportChanges();
    }

    void removeHeap(ServiceReference<HeapExporter> service) {
        RegisteredHeap heap = registry.leaving(id(service));
        if (heap == null) {
            return;
        }
        changeReporter.reportChanges(); // a shadowed heap may serve now
        changeReporter.draining(heap.service());
        int inside = heap.gate().close(drainNanos);
        if (inside > 0) {
            LOG.warn(
                    "heap '{}' left while calls were inside it: {}; each of them returns its buffer or fails",
                    heap.name(),
                    inside);
        }
        registry.gone(heap);
        try {
            context.ungetService(service);
        } catch (RuntimeException | LinkageError e) { // from a vendor's service factory
            LOG.warn("heap '{}': failed to unget its service", heap.name(), e);
        }
        changeReporter.departed(heap);
    }

    /** Drains all heaps. It closes all gates first, so that the heaps drain at the same time. */
    private void drainAll() {
        long deadline = System.nanoTime() + drainNanos;
        drainNanos = 0; // the following unbinds find closed gates and need not wait
        List<RegisteredHeap> heaps = registry.close();
        for (RegisteredHeap heap : heaps) {
            heap.gate().close(0);
        }
        for (RegisteredHeap heap : heaps) {
            heap.gate().close(Math.max(0, deadline - System.nanoTime()));
        }
    }

    private static long id(ServiceReference<?> service) {
        return (Long) service.getProperty(Constants.SERVICE_ID);
    }
}
