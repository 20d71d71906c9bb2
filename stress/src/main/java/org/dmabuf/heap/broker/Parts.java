// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.Descriptors;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/**
 * The broker's parts around one buffer, put together without a framework and without a thread: what is given to the
 * reaper waits until {@link #settle()}.
 */
final class Parts {
    private static final Descriptors DESCRIPTORS = new Descriptors(Syscalls.linux());
    private static final HeapDescription DESCRIPTION = new HeapDescription(
            "stress", OptionalInt.empty(), 0, 4096, false, Set.of(), Map.of(HeapProperties.NAME, "stress"), "stress");
    private static final ServiceRegistration<?> REGISTRATION =
            proxy(ServiceRegistration.class, (self, method, arguments) -> null);
    private static final BundleContext CONTEXT = proxy(
            BundleContext.class,
            (self, method, arguments) -> method.getName().equals("registerService") ? REGISTRATION : null);

    /** A bundle that runs, and goes on running. */
    static final Bundle BUNDLE = proxy(Bundle.class, (self, method, arguments) -> switch (method.getName()) {
        case "getSymbolicName", "toString" -> "org.example.stress";
        case "getBundleContext" -> CONTEXT;
        case "hashCode" -> System.identityHashCode(self);
        case "equals" -> self == arguments[0];
        default -> throw new UnsupportedOperationException(method.toString());
    });

    final Memory memory = new Memory();
    final Client client = new Client("org.example.stress");

    private final Account account = new Account();
    private final Reaper reaper = new Reaper();

    /** {@return the buffer of {@link #memory}, charged, with one hold} */
    Buffer buffer() {
        return new Buffer(memory, Memory.SIZE, DESCRIPTION, account, true, "", reaper, DESCRIPTORS);
    }

    /** {@return the client's reference to a new buffer of {@link #memory}} */
    Lease lease() {
        return client.keep(new Lease(client, buffer()));
    }

    Clients clients() {
        return new Clients(new Allocator(new HeapTable(), reaper, DESCRIPTORS), null, null);
    }

    /** {@return an allocator over a table} */
    Allocator allocator(HeapTable table) {
        return new Allocator(table, reaper, DESCRIPTORS);
    }

    /** {@return a publication of a buffer of {@link #memory}, which has no other reference} */
    PublishedBuffer published(Clients clients) {
        PublishedBuffer published = new PublishedBuffer(client, clients, new Lease(client, buffer()));
        published.register(CONTEXT, "stress");
        return client.keep(published);
    }

    static Heap arrive(HeapTable table, HeapExporter exporter) {
        return table.arrived(1, exporter, Map.of(HeapProperties.NAME, "stress"), "org.example.stress");
    }

    /** Takes a heap away as the component does. */
    static void depart(HeapTable table) {
        Heap leaving = table.leaving(1);
        leaving.gate().close(Long.MAX_VALUE >> 1);
        table.gone(leaving);
    }

    /** Does what the reaper's thread would do. */
    void settle() {
        reaper.drain();
    }

    /** {@return buffers that are still charged} */
    int charged() {
        return (int) account.buffers() + (int) (account.bytes() / Memory.SIZE);
    }

    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(Parts.class.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
