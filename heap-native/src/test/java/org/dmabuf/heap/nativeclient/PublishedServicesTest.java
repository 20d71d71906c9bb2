// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.broker.FakeBundle;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/** Tests of the list of published buffers, with a broker and made-up references to its services. */
class PublishedServicesTest extends ServedTest {
    private final List<Object> ungotten = new ArrayList<>();

    private ServiceReference<?> reference(String name, int ranking) {
        Map<String, Object> properties = Map.of(
                HeapProperties.BUFFER_NAME,
                name,
                HeapProperties.BUFFER_SIZE,
                (long) PAGE,
                HeapProperties.NAME,
                "system");
        return (ServiceReference<?>) Proxy.newProxyInstance(
                ServiceReference.class.getClassLoader(),
                new Class<?>[] {ServiceReference.class},
                (self, method, arguments) -> switch (method.getName()) {
                    case "getProperty" -> properties.get(arguments[0]);
                    case "compareTo" -> Integer.compare(ranking, arguments[0].hashCode());
                    case "hashCode" -> ranking;
                    case "equals" -> self == arguments[0];
                    default -> throw new UnsupportedOperationException(method.toString());
                });
    }

    private PublishedServices services(Map<ServiceReference<?>, PublishedBuffer> published) {
        return new PublishedServices((BundleContext) Proxy.newProxyInstance(
                BundleContext.class.getClassLoader(),
                new Class<?>[] {BundleContext.class},
                (_, method, arguments) -> switch (method.getName()) {
                    case "getServiceReferences" -> published.keySet();
                    case "getService" -> published.get(arguments[0]);
                    case "ungetService" -> ungotten.add(arguments[0]);
                    default -> throw new UnsupportedOperationException(method.toString());
                }));
    }

    @Test
    void a_buffer_is_listed_and_opened_by_its_name_and_its_service_is_returned() {
        try (DmaBuf low = broker().allocate(AllocationRequest.of(PAGE).withName("low"));
                DmaBuf high = broker().allocate(AllocationRequest.of(PAGE).withName("high"));
                Publication first = broker().publish(low, "frame");
                Publication second = broker().publish(high, "frame", Access.READ_WRITE)) {
            PublishedServices services = services(Map.of(
                    reference("frame", 1), FakeBundle.published(first, bundle),
                    reference("frame", 2), FakeBundle.published(second, bundle),
                    reference("a", 3), FakeBundle.published(first, bundle)));
            assertEquals(
                    List.of("a", "frame", "frame"),
                    services.list().stream().map(Reply.PublishedEntry::name).toList());
            try (DmaBuf opened = services.open("frame", true).orElseThrow()) {
                assertEquals(Optional.of("high"), opened.name());
            }
            HeapException refusal = assertThrows(HeapException.class, () -> services.open("a", true));
            assertEquals(Errno.EACCES, refusal.errno());
            services.open("a", false).orElseThrow().close();
            assertEquals(Optional.empty(), services.open("b", false));
            assertEquals(3, ungotten.size());
        }
    }
}
