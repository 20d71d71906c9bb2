// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.Map;
import java.util.Objects;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/**
 * Check that a heap's name and id are free. Of two heaps with the same name the second serves no client, so a heap that
 * reserves memory should make this check first.
 */
public final class FreeName {
    private FreeName() {}

    /**
     * Requires that no other heap is registered with the name or the id of a heap to be opened. The check can miss a
     * heap that is registered between this call and the caller's registration; the broker then makes the later heap
     * wait.
     *
     * @param context of the bundle whose heap is to be opened
     * @param settings of that heap
     * @throws HeapException {@link Errno#EAGAIN} with the name of the other bundle; {@link HeapStart} then lists the
     *     heap as waiting and repeats the start. {@link Errno#EINVAL} for invalid settings
     */
    public static void require(BundleContext context, HeapSettings settings) {
        Map<String, Object> wanted = settings.announcement();
        for (ServiceReference<HeapExporter> other : heaps(context)) {
            requireFree(HeapProperties.NAME, wanted, other, settings.heap());
            requireFree(HeapProperties.ID, wanted, other, settings.heap());
        }
    }

    private static Iterable<ServiceReference<HeapExporter>> heaps(BundleContext context) {
        try {
            return context.getServiceReferences(HeapExporter.class, null);
        } catch (InvalidSyntaxException e) {
            throw new AssertionError("there is no filter", e);
        }
    }

    private static void requireFree(
            String property, Map<String, Object> wanted, ServiceReference<?> other, String heap) {
        Object value = wanted.get(property);
        Bundle bundle = other.getBundle();
        if (value == null || bundle == null || !Objects.equals(value, other.getProperty(property))) {
            return; // a service without a bundle is already unregistered
        }
        String by = property.equals(HeapProperties.NAME)
                ? "the heap"
                : "heap '" + Printable.of(String.valueOf(other.getProperty(HeapProperties.NAME))) + "'";
        throw HeapException.of(
                Errno.EAGAIN,
                heap,
                "its " + property + " = " + value + " is taken by " + by + " of bundle "
                        + Printable.of(String.valueOf(bundle.getSymbolicName()))
                        + "; it allocates no memory before that heap leaves");
    }
}
