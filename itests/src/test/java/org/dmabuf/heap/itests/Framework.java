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
import org.dmabuf.heap.OwnedFd;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.ServiceReference;

/** The framework in which a test runs, with the actions of an operator. */
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

    /** Installs and starts a bundle that the test created. */
    Bundle start(TestBundle content) throws BundleException {
        Bundle bundle = context.installBundle(content.symbolicName(), content.jar());
        bundle.start();
        return bundle;
    }

    /** Installs and starts an empty bundle, whose context the test uses to get services. */
    Bundle startEmptyBundle(String symbolicName) throws BundleException, IOException {
        return start(TestBundle.empty(symbolicName));
    }

    /** {@return the current broker service of the test's own bundle} */
    HeapBroker broker() {
        return broker(context);
    }

    /** {@return the broker service of a bundle} */
    static HeapBroker broker(BundleContext user) {
        ServiceReference<HeapBroker> service = user.getServiceReference(HeapBroker.class);
        assertNotNull("no HeapBroker is registered", service);
        return user.getService(service);
    }

    /** {@return the current monitor service of the test's own bundle} */
    HeapMonitor monitor() {
        return monitor(context);
    }

    /** {@return the monitor service of a bundle} */
    static HeapMonitor monitor(BundleContext user) {
        ServiceReference<HeapMonitor> service = user.getServiceReference(HeapMonitor.class);
        assertNotNull("no HeapMonitor is registered", service);
        return user.getService(service);
    }

    /** {@return the heaps that tests use, in the broker's order; of the gateway's own heaps only system} */
    List<HeapInfo> heaps() {
        return broker().heaps().stream()
                .filter(heap -> !ASIDE.contains(heap.name()))
                .toList();
    }

    /** {@return the names of these heaps that are in one state} */
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

    /** {@return buffers charged to the heaps of one name, whether they serve, drain or have left} */
    long charged(String name) {
        return broker().heaps().stream()
                .filter(heap -> heap.name().equals(name))
                .mapToLong(heap -> heap.charged().liveBuffers())
                .sum();
    }

    /**
     * Exports a buffer and closes the descriptor after the buffer, so that later counts show only leaks. With its first
     * export, a process opens the descriptors with which it tracks holders, and keeps them. With the first holder that
     * outlives its buffer, it starts the thread that waits for holders.
     */
    void openWhatIsOpenedOnce() throws Exception {
        OwnedFd holder;
        String heap;
        try (DmaBuf buffer = broker().allocate(AllocationRequest.of(1))) {
            heap = buffer.heapName();
            holder = buffer.exportFd();
        }
        holder.close();
        await(0L, () -> charged(heap));
    }

    /** Waits for a condition that another thread causes; fails with the last value after a minute. */
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
