// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.client;

import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;

/** A client that runs an action of the test while it stops, as a client does that writes its last frame. */
public final class LastWords implements BundleActivator {
    /** Property of the service of type {@link AtomicReference} that holds the action, a {@link Runnable} or null. */
    public static final String ROLE = "client.role";

    private final AtomicReference<Runnable> words = new AtomicReference<>();

    @Override
    public void start(BundleContext context) {
        context.registerService(AtomicReference.class, words, FrameworkUtil.asDictionary(Map.of(ROLE, "last words")));
    }

    @Override
    public void stop(BundleContext context) {
        Runnable last = words.get();
        if (last != null) {
            last.run();
        }
    }
}
