// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;

/** Bundle that runs and stops without a framework, as far as the broker uses one. */
public final class FakeBundle {
    private final Bundle bundle;
    private volatile BundleContext context;
    private volatile boolean registers;
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

    /** Permits it to register any service, and to unregister it without an event. {@return this} */
    public FakeBundle registering() {
        registers = true;
        return this;
    }

    /** {@return the buffer of a publication, as a bundle gets it} */
    @SuppressWarnings("unchecked") // the factory that the framework would call
    public static PublishedBuffer published(Publication publication, FakeBundle getter) {
        return ((ServiceFactory<PublishedBuffer>) publication).getService(getter.bundle(), null);
    }

    public Bundle bundle() {
        return bundle;
    }

    /** Starts the bundle. Each start has a new context, as specified. */
    public void start() {
        int life = lives.incrementAndGet();
        context = proxy(BundleContext.class, (self, method, arguments) -> switch (method.getName()) {
            case "getBundle" -> bundle;
            case "toString" -> "life " + life + " of " + bundle;
            case "hashCode" -> System.identityHashCode(self);
            case "equals" -> self == arguments[0];
            case "registerService" -> registration(method);
            default -> throw new UnsupportedOperationException(method.toString());
        });
    }

    private ServiceRegistration<?> registration(Method method) {
        if (!registers) {
            throw new UnsupportedOperationException(method.toString());
        }
        return proxy(ServiceRegistration.class, (_, _, _) -> null);
    }

    /** Stops without an event. */
    public void stop() {
        context = null;
    }

    public BundleEvent event(int type) {
        return new BundleEvent(type, bundle);
    }

    public static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(FakeBundle.class.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
