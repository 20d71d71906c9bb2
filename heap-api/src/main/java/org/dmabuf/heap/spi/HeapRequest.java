// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.dmabuf.heap.Access;
import org.osgi.annotation.versioning.ProviderType;

/** Request for one buffer, as a heap sees it. Immutable. May grow in a minor version. */
@ProviderType
public interface HeapRequest {
    /** {@return bytes wanted, at least 1; the heap rounds up as it needs} */
    long size();

    /** {@return alignment in bytes, a power of two, 1 for any} */
    long alignment();

    /** {@return flags that the heap itself defines, 0 for none} */
    long heapFlags();

    /** {@return whether {@link HeapBuffer#descriptor()} will be wanted} */
    boolean exportable();

    /** {@return what the receiver of a descriptor may do: READ or READ_WRITE} */
    Access exports();

    /** {@return a name for people, at most 31 bytes of UTF-8 without control characters, empty for none} */
    String name();
}
