// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;

class InMemoryContractTest extends ClientContract {
    private final InMemoryBroker broker = InMemoryBroker.of();

    @AfterEach
    void close() {
        broker.close();
    }

    @Override
    protected HeapBroker broker(List<Map<String, Object>> heaps) {
        for (Map<String, Object> properties : heaps) {
            InMemoryHeap heap = InMemoryHeap.of((String) properties.get(HeapProperties.NAME), Long.MAX_VALUE);
            for (Map.Entry<String, Object> property : properties.entrySet()) {
                if (!property.getKey().equals(HeapProperties.NAME)) {
                    heap = heap.with(property.getKey(), property.getValue());
                }
            }
            broker.add(heap);
        }
        return broker;
    }

    @Override
    protected HeapMonitor monitor() {
        return broker.monitor();
    }

    @Override
    protected void leave(String heap) {
        broker.remove(heap);
    }

    @Override
    protected Optional<PublishedBuffer> published(String name) {
        return broker.published(name);
    }
}
