// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.io.IOException;
import java.net.URI;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * Heap of a running framework. Its service is looked up before each call, because each start of its bundle registers
 * another one. No service stays in use between two calls.
 */
final class RunningHeap implements HeapBundle, HeapExporter {
    private static final long PATIENCE_SECONDS = 60;
    /** Felix's prefix of a bundle that it does not copy. */
    private static final String REFERENCE = "reference:";

    private final BundleContext context;
    private final String name;
    private final Bundle bundle;

    /** @throws HeapException when no such heap is registered */
    RunningHeap(BundleContext context, String name) {
        this.context = context;
        this.name = name;
        this.bundle = reference().orElseThrow(this::gone).getBundle();
    }

    private Optional<ServiceReference<HeapExporter>> reference() {
        return named().stream()
                .filter(heap -> bundle == null || bundle.equals(heap.getBundle()))
                .min(Comparator.comparing(heap -> (Long) heap.getProperty(Constants.SERVICE_ID)));
    }

    private List<ServiceReference<HeapExporter>> named() {
        try {
            return context.getServiceReferences(HeapExporter.class, "(" + HeapProperties.NAME + "=*)").stream()
                    .filter(heap -> name.equals(heap.getProperty(HeapProperties.NAME)))
                    .toList();
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private HeapException gone() {
        return HeapException.of(Errno.ENODEV, name, "no heap of this name is registered; see dmaheap:list");
    }

    private <T> T withService(Function<HeapExporter, T> call) {
        ServiceReference<HeapExporter> reference = reference().orElseThrow(this::gone);
        HeapExporter exporter = context.getService(reference);
        if (exporter == null) {
            throw gone();
        }
        try {
            return call.apply(exporter);
        } finally {
            context.ungetService(reference);
        }
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        return withService(exporter -> exporter.allocate(request));
    }

    @Override
    public HeapUsage usage() {
        return withService(HeapExporter::usage);
    }

    @Override
    public long trim(long bytes) {
        return withService(exporter -> exporter.trim(bytes));
    }

    @Override
    public Optional<String> unlessRestartable() {
        boolean carriesTheKit =
                bundle.getBundleId() == Constants.SYSTEM_BUNDLE_ID || bundle.equals(context.getBundle());
        if (carriesTheKit) {
            return Optional.of("the bundle of the heap, " + bundle.getSymbolicName() + ", runs the cases as well");
        }
        return named().stream()
                .map(ServiceReference::getBundle)
                .filter(other -> !bundle.equals(other))
                .findFirst()
                .map(other -> "bundle " + other.getSymbolicName()
                        + " has a heap of the same name, which would serve after a stop");
    }

    @Override
    public Optional<String> unlessUpdatable() {
        String location = bundle.getLocation();
        String place = location.startsWith(REFERENCE) ? location.substring(REFERENCE.length()) : location;
        try {
            URI.create(place).toURL().openStream().close();
            return Optional.empty();
        } catch (IOException | IllegalArgumentException e) {
            return Optional.of("the framework cannot read the bundle again from " + location + ": " + e.getMessage());
        }
    }

    // Transient, so that the framework's record of started bundles stays as it is.

    @Override
    public void stop() throws BundleException {
        bundle.stop(Bundle.STOP_TRANSIENT);
    }

    @Override
    public void start() throws BundleException {
        bundle.start(Bundle.START_TRANSIENT);
    }

    @Override
    public void update() throws Exception {
        bundle.update();
        FrameworkWiring wiring =
                context.getBundle(Constants.SYSTEM_BUNDLE_LOCATION).adapt(FrameworkWiring.class);
        if (wiring.getDependencyClosure(List.of(bundle)).equals(Set.of(bundle))) {
            CountDownLatch refreshed = new CountDownLatch(1);
            wiring.refreshBundles(List.of(bundle), event -> refreshed.countDown());
            refreshed.await();
        }
        start();
        exporter();
    }

    @Override
    public boolean serves() {
        return reference().isPresent();
    }

    @Override
    public HeapExporter exporter() {
        ServiceReference<HeapExporter> reference = awaited();
        try {
            return context.getService(reference);
        } finally {
            context.ungetService(reference);
        }
    }

    @Override
    public Map<String, Object> properties() {
        return FrameworkUtil.asMap(awaited().getProperties());
    }

    private ServiceReference<HeapExporter> awaited() {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        Optional<ServiceReference<HeapExporter>> reference = reference();
        while (reference.isEmpty()
                && System.nanoTime() < end
                && !Thread.currentThread().isInterrupted()) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
            reference = reference();
        }
        return reference.orElseThrow(() -> new AssertionError(
                "the heap is not registered within " + PATIENCE_SECONDS + " s after a start of its bundle"));
    }

    /** The kit stays a client of the broker until its own bundle stops. */
    @Override
    public Optional<HeapBroker> broker() {
        return Optional.ofNullable(context.getServiceReference(HeapBroker.class))
                .map(context::getService);
    }
}
