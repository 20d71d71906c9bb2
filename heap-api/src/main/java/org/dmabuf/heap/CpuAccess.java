// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import org.osgi.annotation.versioning.ProviderType;

/** An open bracket around CPU access, see {@link DmaBuf#beginCpuAccess}. */
@ProviderType
public interface CpuAccess extends AutoCloseable {
    /**
     * Ends the bracket in the direction in which it was begun. Closing twice does nothing.
     *
     * @throws HeapException when the kernel refuses; the bracket is ended all the same
     */
    @Override
    void close();
}
