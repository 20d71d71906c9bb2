// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.fail;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapState;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.ServiceReference;

/** The framework that a test runs in, as an operator handles it. */
final class Framework {
    static final String BROKER = "org.dmabuf.heap.broker";
    static final String SYSTEM = "org.dmabuf.heap.system";

    private static final Set<String> ASIDE = Set.of("carveout", "cma", "secure");

    private final BundleContext context;

    Framework(BundleContext context) {
        this.context = context;
    }

    Bundle bundle(String symbolicName) {
        return Arrays.stream(context.getBundles())
                .filter(bundle -> symbolicName.equals(bundle.getSymbolicName()))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no bundle " + symbolicName));
    }

    Bundle install(Path jar) throws BundleException {
        return context.installBundle(jar.toUri().toString());
    }

    /** Installs and starts a bundle that the test made. */
    Bundle start(TestBundle content) throws BundleException {
        Bundle bundle = context.installBundle(content.symbolicName(), content.jar());
        bundle.start();
        return bundle;
    }

    /** Installs and starts a bundle with nothing in it: somebody who uses services. */
    Bundle startEmptyBundle(String symbolicName) throws BundleException, IOException {
        return start(TestBundle.empty(symbolicName));
    }

    /** The broker as the test's own bundle sees it, now. */
    HeapBroker broker() {
        return broker(context);
    }

    /** The broker as a bundle sees it. */
    static HeapBroker broker(BundleContext user) {
        ServiceReference<HeapBroker> service = user.getServiceReference(HeapBroker.class);
        assertNotNull("no HeapBroker is registered", service);
        return user.getService(service);
    }

    /** The monitor as the test's own bundle sees it, now. */
    HeapMonitor monitor() {
        return monitor(context);
    }

    /** The monitor as a bundle sees it. */
    static HeapMonitor monitor(BundleContext user) {
        ServiceReference<HeapMonitor> service = user.getServiceReference(HeapMonitor.class);
        assertNotNull("no HeapMonitor is registered", service);
        return user.getService(service);
    }

    /** The heaps that tests have to do with, in the broker's order: not those that the gateway has besides system. */
    List<HeapInfo> heaps() {
        return broker().heaps().stream()
                .filter(heap -> !ASIDE.contains(heap.name()))
                .toList();
    }

    /** Their names, of those in one state. */
    List<String> names(HeapState state) {
        return heaps().stream()
                .filter(heap -> heap.state() == state)
                .map(HeapInfo::name)
                .toList();
    }

    HeapInfo heap(String name, HeapState state) {
        List<HeapInfo> found = broker().heaps().stream()
                .filter(heap -> heap.name().equals(name) && heap.state() == state)
                .toList();
        assertEquals("heaps '" + name + "' " + state + " in " + broker().heaps(), 1, found.size());
        return found.getFirst();
    }

    /** {@return buffers charged to the heaps of one name, whether one serves, drains or has left} */
    long charged(String name) {
        return broker().heaps().stream()
                .filter(heap -> heap.name().equals(name))
                .mapToLong(heap -> heap.charged().liveBuffers())
                .sum();
    }

    /** So that what is left behind is seen: with its first export a process opens what it keeps, to follow peers. */
    void openWhatIsOpenedOnce() {
        try (DmaBuf buffer = broker().allocate(AllocationRequest.of(1))) {
            buffer.exportFd().close();
        }
    }

    /** Waits for what another thread brings about; fails with the last value after a minute. */
    static <T> void await(T expected, Callable<T> actual) throws Exception {
        T last = null;
        for (int i = 0; i < 6000; i++) {
            last = actual.call();
            if (expected.equals(last)) {
                return;
            }
            Thread.sleep(10);
        }
        fail("expected " + expected + " within a minute, but is " + last);
    }
}
