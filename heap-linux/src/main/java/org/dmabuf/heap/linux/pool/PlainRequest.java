// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapRequest;

/** A request that says nothing but how much and whether it may be exported: what pools ask their source for. */
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
