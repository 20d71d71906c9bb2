// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapRequest;

/** What a test asks of a source. Nothing is checked here. */
public record Request(long size, long alignment, long heapFlags, boolean exportable, Access exports, String name)
        implements HeapRequest {

    public Request(long size) {
        this(size, true);
    }

    public Request(long size, boolean exportable) {
        this(size, exportable, Access.READ_WRITE);
    }

    public Request(long size, boolean exportable, Access exports) {
        this(size, 1, 0, exportable, exports, "");
    }
}
