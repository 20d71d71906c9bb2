// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.contract.ClientContract;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapExporter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceRegistration;

/**
 * Run of the client contract on the component in a framework. The broker for clients' tests keeps the same contract.
 */
class ClientContractTest extends ClientContract {
    private final BrokerInFramework gateway = new BrokerInFramework() {};
    private final Map<String, ServiceRegistration<HeapExporter>> heaps = new HashMap<>();

    @BeforeEach
    void launch(@TempDir Path storage) throws Exception {
        gateway.storage = storage;
        gateway.launch();
        gateway.component.modified(
                BrokerInFramework.config(Map.of("views_allow", new String[] {gateway.camera.getSymbolicName()})),
                Map.of());
    }

    @AfterEach
    void shutDown() throws Exception {
        gateway.shutDown();
    }

    @Override
    protected HeapBroker broker(List<Map<String, Object>> announced) {
        for (Map<String, Object> properties : announced) {
            String name = (String) properties.get(HeapProperties.NAME);
            MemfdSource source = MemfdSource.open(name);
            Map<String, Object> all = new HashMap<>(source.properties());
            all.putAll(properties);
            heaps.put(name, gateway.heap(source, all));
        }
        return gateway.brokerOf(gateway.camera);
    }

    @Override
    protected HeapMonitor monitor() {
        BundleContext context = gateway.camera.getBundleContext();
        return context.getService(context.getServiceReference(HeapMonitor.class));
    }

    @Override
    protected void leave(String heap) {
        gateway.remove(heaps.remove(heap));
    }

    @Override
    protected Optional<PublishedBuffer> published(String name) {
        BundleContext context = gateway.display.getBundleContext();
        try {
            return context
                    .getServiceReferences(PublishedBuffer.class, "(" + HeapProperties.BUFFER_NAME + "=" + name + ")")
                    .stream()
                    .findFirst()
                    .map(context::getService);
        } catch (InvalidSyntaxException e) {
            throw new AssertionError(e);
        }
    }
}
