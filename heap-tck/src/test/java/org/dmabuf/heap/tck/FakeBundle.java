// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Bundle of a good heap, in memory. Subclasses break one requirement. */
class FakeBundle implements HeapBundle, HeapExporter {
    final MemfdSource good = Heaps.good();
    private boolean running = true;
    private int starts = 1;
    private int updates;

    @Override
    public Optional<String> unlessRestartable() {
        return Optional.empty();
    }

    @Override
    public Optional<String> unlessUpdatable() {
        return Optional.empty();
    }

    @Override
    public synchronized void stop() throws Exception {
        running = false;
    }

    @Override
    public synchronized void start() throws Exception {
        if (!running) {
            running = true;
            starts++;
        }
    }

    @Override
    public synchronized void update() {
        updates++;
    }

    synchronized boolean isRunning() {
        return running;
    }

    synchronized int starts() {
        return starts;
    }

    synchronized int updates() {
        return updates;
    }

    @Override
    public boolean serves() {
        return isRunning();
    }

    @Override
    public HeapExporter exporter() {
        return this;
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        return good.allocate(request);
    }

    @Override
    public Map<String, Object> properties() {
        return new HashMap<>(Heaps.announced(good));
    }

    /** Returns a broker that allocates for a client, and reports another exception of the heap as EIO. */
    @Override
    public Optional<HeapBroker> broker() {
        return Optional.of(proxy(HeapBroker.class, (method, arguments) -> {
            HeapRequest request =
                    HeapRequest.of((AllocationRequest) arguments[0], Optional.of(ClientId.of("test", "client")));
            try {
                return dmaBuf(allocate(request));
            } catch (IllegalStateException e) {
                throw HeapException.of(Errno.EIO, "camera", e.toString(), e);
            }
        }));
    }

    private static DmaBuf dmaBuf(HeapBuffer buffer) {
        return proxy(DmaBuf.class, (method, arguments) -> switch (method) {
            case "size" -> buffer.size();
            case "close" -> {
                buffer.release();
                yield null;
            }
            default -> throw new UnsupportedOperationException(method);
        });
    }

    private interface Calls {
        Object call(String method, Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, Calls calls) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, arguments) -> calls.call(method.getName(), arguments)));
    }
}
