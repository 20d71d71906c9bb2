// SPDX-License-Identifier: Apache-2.0
package org.example.hello;

import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.Publication;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.condition.Condition;

/**
 * Complete client. It allocates a buffer with a text and publishes it for other bundles. Because of its reference to
 * the Condition, it starts when the heap serves and stops before the heap has left.
 */
@Component
public final class Hello {
    static final String NAME = "hello";
    static final String TEXT = "a text in a buffer";

    /** Room for the text and its zero. The heap rounds it up to whole pages. */
    private static final long BYTES = 64;

    private static final System.Logger LOG = System.getLogger(Hello.class.getName());

    private final DmaBuf buffer;
    private final Publication published;

    @Activate
    public Hello(
            @Reference HeapBroker broker,
            @Reference(target = "(&(osgi.condition.id=dmabuf.heap)(heap.name=system))") Condition heap) {
        buffer = broker.allocate(AllocationRequest.of(BYTES).withHeaps("system").withName(NAME));
        try {
            write(TEXT);
            published = broker.publish(buffer, NAME);
        } catch (RuntimeException | Error e) {
            buffer.close();
            throw e;
        }
        LOG.log(Level.INFO, "published ''{0}'', {1} bytes of heap ''{2}''", NAME, buffer.size(), buffer.heapName());
    }

    private void write(String text) {
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
            buffer.map(Access.WRITE, arena).setString(0, text);
        }
    }

    @Deactivate
    void stop() {
        try (buffer) {
            published.close();
        }
    }
}
