// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.blocking;

import java.nio.file.Files;
import java.nio.file.Path;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** An activator whose start blocks until the file exists that the bundle's header {@code Start-When} names. */
public final class Blocking implements BundleActivator {
    /** Called by the framework. */
    public Blocking() {}

    @Override
    public void start(BundleContext context) throws InterruptedException {
        Path released = Path.of(context.getBundle().getHeaders().get("Start-When"));
        while (!Files.exists(released)) {
            Thread.sleep(20);
        }
    }

    @Override
    public void stop(BundleContext context) {}
}
