// SPDX-License-Identifier: Apache-2.0
package org.example.policy;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Exporter of the buffers of another heap that are not too large. Its refusals name this heap. */
final class LimitedExporter implements HeapExporter {
    private final HeapExporter other;

    LimitedExporter(HeapExporter other) {
        this.other = other;
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        if (request == null) {
            throw HeapException.of(Errno.EINVAL, PolicyHeap.NAME, "invalid request = null: expected a HeapRequest");
        }
        if (request.size() > PolicyHeap.LARGEST) {
            throw HeapException.of(
                    Errno.ENOMEM, // the broker then asks the next heap
                    PolicyHeap.NAME,
                    "allocating " + request.size() + " bytes failed: a buffer has at most " + PolicyHeap.LARGEST
                            + "; use another heap");
        }
        try {
            return new RenamedBuffer(other.allocate(request));
        } catch (HeapException e) {
            throw renamed(e);
        }
    }

    /** {@return the refusal of the other heap, as one of this heap} */
    static HeapException renamed(HeapException refusal) {
        return HeapException.of(refusal.errno(), PolicyHeap.NAME, refusal.reason(), refusal);
    }

    @Override
    public HeapUsage usage() {
        return other.usage();
    }

    @Override
    public long trim(long bytes) {
        return other.trim(bytes);
    }
}
