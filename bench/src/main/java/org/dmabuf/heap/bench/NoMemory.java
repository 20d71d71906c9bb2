// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Exporter of buffers of one page whose calls do no work, for the cost of the broker alone. */
public final class NoMemory implements HeapExporter {
    /** The size of each buffer in bytes. */
    public static final long SIZE = 4096;

    private static final class Nothing implements HeapBuffer {
        @Override
        public long size() {
            return SIZE;
        }

        @Override
        public int descriptor() {
            return 0;
        }

        @Override
        public MemorySegment map(Access access) {
            return MemorySegment.NULL;
        }

        @Override
        public void unmap(MemorySegment mapping) {}

        @Override
        public void release() {}
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        return new Nothing();
    }
}
