// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapRequest;

/** Request of a pool to its source: a size, and whether the buffer may be exported. */
record PlainRequest(long size, boolean exportable) implements HeapRequest {
    @Override
    public long alignment() {
        return 1;
    }

    @Override
    public long heapFlags() {
        return 0;
    }

    @Override
    public Access exports() {
        return Access.READ_WRITE;
    }

    @Override
    public String name() {
        return "";
    }
}
