// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.client;

import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;

/** A client that has something to do while it stops, as one does that writes its last frame. The test says what. */
public final class LastWords implements BundleActivator {
    /** Property of the service of type {@link AtomicReference} that holds a {@link Runnable} or null. */
    public static final String ROLE = "client.role";

    private final AtomicReference<Runnable> words = new AtomicReference<>();

    @Override
    public void start(BundleContext context) {
        context.registerService(
                AtomicReference.class, words, FrameworkUtil.asDictionary(Map.of(ROLE, "last words")));
    }

    @Override
    public void stop(BundleContext context) {
        Runnable last = words.get();
        if (last != null) {
            last.run();
        }
    }
}
