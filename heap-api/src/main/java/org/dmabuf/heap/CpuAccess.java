// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import org.osgi.annotation.versioning.ProviderType;

/** CPU access in progress, see {@link DmaBuf#beginCpuAccess}. Any thread may end it. */
@ProviderType
public interface CpuAccess extends AutoCloseable {
    /**
     * Ends the CPU access in the direction in which it was begun. Closing twice does nothing.
     *
     * @throws HeapException when the kernel refuses; the CPU access has ended nevertheless
     */
    @Override
    void close();
}
