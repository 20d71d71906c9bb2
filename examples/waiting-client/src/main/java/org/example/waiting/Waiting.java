// SPDX-License-Identifier: Apache-2.0
package org.example.waiting;

import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.PublishedBuffer;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/**
 * Complete client of a buffer that another bundle publishes, such as hello-client. Because of its reference, it starts
 * when the buffer is published and stops when the publication ends. Its own reference of the memory stays valid until
 * {@link #stop} closes it.
 */
@Component(immediate = true)
public final class Waiting {
    private static final System.Logger LOG = System.getLogger(Waiting.class.getName());

    private final DmaBuf buffer;

    /**
     * Opens the buffer and logs the text in it.
     *
     * @param published the publication
     */
    @Activate
    public Waiting(@Reference(target = "(dmabuf.name=hello)") PublishedBuffer published) {
        buffer = published.open();
        try {
            LOG.log(Level.INFO, "read ''{0}'' from ''{1}''", text(), published.name());
        } catch (RuntimeException | Error e) {
            buffer.close();
            throw e;
        }
    }

    /** {@return the text at the start of the buffer} */
    String text() {
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
            return buffer.map(Access.READ, arena).getString(0);
        }
    }

    @Deactivate
    void stop() {
        buffer.close();
    }
}
