// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher.unruly;

import java.nio.file.Files;
import java.nio.file.Path;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/**
 * Activator of a test's bundle, controlled by headers of the bundle. With {@code Start-When} or {@code Stop-When} it
 * blocks until that file is there. With {@code Deaf} it ignores interrupts. With {@code Short-Until} it throws an
 * OutOfMemoryError until that file is there.
 */
public final class BlockingActivator implements BundleActivator {
    /** Called by the framework. */
    public BlockingActivator() {}

    @Override
    public void start(BundleContext context) throws Exception {
        String shortUntil = context.getBundle().getHeaders().get("Short-Until");
        if (shortUntil != null && !Files.exists(Path.of(shortUntil))) {
            throw new OutOfMemoryError("Java heap space");
        }
        await(context, "Start-When");
    }

    @Override
    public void stop(BundleContext context) throws Exception {
        await(context, "Stop-When");
    }

    private static void await(BundleContext context, String header) throws InterruptedException {
        String file = context.getBundle().getHeaders().get(header);
        boolean deaf = context.getBundle().getHeaders().get("Deaf") != null;
        while (file != null && !Files.exists(Path.of(file))) {
            try {
                Thread.sleep(20);
            } catch (InterruptedException e) {
                if (!deaf) {
                    throw e;
                }
            }
        }
    }
}
