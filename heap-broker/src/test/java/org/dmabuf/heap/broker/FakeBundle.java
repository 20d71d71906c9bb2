// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.ServiceRegistration;

/** A bundle that runs and stops without a framework: as much of one as the broker looks at. */
public final class FakeBundle {
    private final Bundle bundle;
    private volatile BundleContext context;
    private final AtomicInteger lives = new AtomicInteger();

    public FakeBundle(String symbolicName) {
        bundle = proxy(Bundle.class, (self, method, arguments) -> switch (method.getName()) {
            case "getSymbolicName", "toString" -> symbolicName;
            case "getLocation" -> "test:" + symbolicName;
            case "getBundleContext" -> context;
            case "getState" -> context == null ? Bundle.RESOLVED : Bundle.ACTIVE;
            case "hashCode" -> System.identityHashCode(self);
            case "equals" -> self == arguments[0];
            default -> throw new UnsupportedOperationException(method.toString());
        });
        start();
    }

    public Bundle bundle() {
        return bundle;
    }

    /** Starts the bundle. Each start gives it another context, as the specification has it. */
    public void start() {
        int life = lives.incrementAndGet();
        context = proxy(BundleContext.class, (self, method, arguments) -> switch (method.getName()) {
            case "getBundle" -> bundle;
            case "toString" -> "life " + life + " of " + bundle;
            case "hashCode" -> System.identityHashCode(self);
            case "equals" -> self == arguments[0];
            default -> throw new UnsupportedOperationException(method.toString());
        });
    }

    /** Stops without an event. */
    public void stop() {
        context = null;
    }

    public BundleEvent event(int type) {
        return new BundleEvent(type, bundle);
    }

    /** {@return a context that registers any service, and unregisters it without an event} */
    static BundleContext registering() {
        ServiceRegistration<?> registration = proxy(ServiceRegistration.class, (self, method, arguments) -> null);
        return proxy(BundleContext.class, (self, method, arguments) -> switch (method.getName()) {
            case "registerService" -> registration;
            default -> throw new UnsupportedOperationException(method.toString());
        });
    }

    public static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(FakeBundle.class.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
