// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Map;
import org.dmabuf.heap.spi.HeapVerifier;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;

/** Start of the kit's bundle, which registers the {@link HeapVerifier}. The framework calls it. */
public final class KitActivator implements BundleActivator {
    /** Makes the activator, which has no state. */
    public KitActivator() {}

    @Override
    public void start(BundleContext context) {
        context.registerService(
                HeapVerifier.class, new FrameworkVerifier(context), FrameworkUtil.asDictionary(Map.of()));
    }

    @Override
    public void stop(BundleContext context) {
        // The framework unregisters the service.
    }
}
