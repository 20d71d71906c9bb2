// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import org.osgi.annotation.versioning.ProviderType;

/** Registration of a buffer as a service, see {@link HeapBroker#publish}. */
@ProviderType
public interface Publication extends AutoCloseable {
    /** Unregisters the service and closes the publication's own reference. Closing twice does nothing. */
    @Override
    void close();
}
