// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.unruly;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.spi.HeapRequest;

/** A request as a source of heap-linux takes it, which knows no flags. */
record Plain(HeapRequest request, long size) implements HeapRequest {
    @Override
    public long alignment() {
        return request.alignment();
    }

    @Override
    public long heapFlags() {
        return 0;
    }

    @Override
    public boolean exportable() {
        return request.export() != ExportMode.NONE;
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
