// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/** Context of a bundle that probes devices, without a framework and without a folder for files. */
final class ProbeContext {
    private ProbeContext() {}

    /** @param changed called when the demands have changed */
    static BundleContext of(Runnable changed) {
        Object registration = fake(ServiceRegistration.class, (_, method, _) -> {
            if (method.getName().equals("setProperties")) {
                changed.run();
            }
            return null;
        });
        return fake(
                BundleContext.class,
                (_, method, _) -> method.getName().equals("registerService") ? registration : null);
    }

    private static <T> T fake(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
