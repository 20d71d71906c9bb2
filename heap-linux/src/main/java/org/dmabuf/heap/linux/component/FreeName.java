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
 * Name and id of a heap, each of which one heap has at a time. Of two heaps with one name the second serves no client,
 * so one that sets memory aside looks here before it does.
 */
public final class FreeName {
    private FreeName() {}

    /**
     * Requires that no heap is registered with the name or the id of another that is to be opened. A heap that comes
     * between this call and the registration is not seen: the broker has the later one wait.
     *
     * @param context of the bundle whose heap is to be opened
     * @param settings of that heap
     * @throws HeapException {@link Errno#EAGAIN} that says which bundle has them, so that {@link HeapStart} lists the
     *     heap as one that waits, and tries again; {@link Errno#EINVAL} for settings that are wrong
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
            return; // without a bundle it has left
        }
        String by = property.equals(HeapProperties.NAME)
                ? "the heap"
                : "heap '" + Printable.of(String.valueOf(other.getProperty(HeapProperties.NAME))) + "'";
        throw HeapException.of(
                Errno.EAGAIN,
                heap,
                "its " + property + " = " + value + " is taken by " + by + " of bundle "
                        + Printable.of(String.valueOf(bundle.getSymbolicName()))
                        + "; it takes no memory before that one goes");
    }
}
