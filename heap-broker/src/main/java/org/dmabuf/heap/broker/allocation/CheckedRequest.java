// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.nio.charset.StandardCharsets;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.HeapRequest;

/** A checked request as a heap gets it, without the routing. */
public record CheckedRequest(AllocationRequest request) implements HeapRequest {
    /** DMA_BUF_NAME_LEN less its NUL. */
    private static final int NAME_BYTES = 31;
    /** Bytes of the largest buffer that can be rounded to pages. */
    public static final long LARGEST = Long.MAX_VALUE - Bytes.PAGE;

    /**
     * Checks what can be wrong with a request to any heap, before a heap is asked.
     *
     * @throws HeapException {@link Errno#EINVAL} with the value and what is right
     */
    public CheckedRequest {
        if (request.size() <= 0 || request.size() > LARGEST) {
            throw invalid("a buffer of " + request.size() + " bytes cannot be; ask for 1 to " + LARGEST);
        }
        if (Long.bitCount(request.alignment()) != 1 || request.alignment() < 0) {
            throw invalid("an alignment of " + request.alignment() + " bytes is no power of two");
        }
        if (request.exports() == Access.WRITE) {
            throw invalid("there is no export for WRITE; ask for READ or READ_WRITE");
        }
        checkName(request.name());
    }

    /** Throws {@link Errno#EINVAL} for a text that cannot be the name of a buffer. */
    static void checkName(String name) {
        if (name.isEmpty()) {
            return; // as most are, and a stream costs as much as all the rest of the check
        }
        boolean visible = name.codePoints().noneMatch(Character::isISOControl);
        boolean fits = name.length() * 3 <= NAME_BYTES || name.getBytes(StandardCharsets.UTF_8).length <= NAME_BYTES;
        if (!visible || !fits) {
            throw invalid("the name '" + Printable.of(name) + "' is none: at most " + NAME_BYTES
                    + " bytes of UTF-8, without control characters");
        }
    }

    private static HeapException invalid(String sentence) {
        return new HeapException(Errno.EINVAL, "", sentence);
    }

    @Override
    public long size() {
        return request.size();
    }

    @Override
    public long alignment() {
        return request.alignment();
    }

    @Override
    public long heapFlags() {
        return request.heapFlags();
    }

    @Override
    public boolean exportable() {
        return request.exportable();
    }

    @Override
    public Access exports() {
        return request.exports();
    }

    @Override
    public String name() {
        return request.name();
    }
}
