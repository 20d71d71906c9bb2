// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import org.osgi.annotation.versioning.ProviderType;

/**
 * OSGi service that stands for one buffer of another bundle, see {@link HeapBroker#publish}. Its service properties are
 * {@link HeapProperties#BUFFER_NAME}, {@link HeapProperties#BUFFER_SIZE}, {@link HeapProperties#BUFFER_ACCESS} and
 * {@link HeapProperties#NAME}. Any thread may call any method.
 */
@ProviderType
public interface PublishedBuffer {
    /** {@return the name under which it was published} */
    String name();

    /** {@return bytes} */
    long size();

    /**
     * {@return what a reference permits: {@link Access#READ}, or {@link Access#READ_WRITE} where the publisher grants
     * it}
     */
    Access access();

    /**
     * Opens a reference of the bundle that got this service. It lives until it is closed or the bundle stops, also when
     * the service goes before. It is not charged again.
     *
     * <p>A reference for reading maps for reading only and begins CPU accesses for reading only. It exports a
     * descriptor only of a buffer that was allocated with {@link ExportMode#READ_ONLY}.
     *
     * @return a reference that the caller closes
     * @throws IllegalStateException when the publication has ended, or the bundle has stopped
     */
    DmaBuf open();
}
