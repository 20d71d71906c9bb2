// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.Map;
import org.osgi.annotation.versioning.ProviderType;

/**
 * File descriptor with one owner. Descriptor numbers are used again at once after a close, so the owning object and
 * never the number is the descriptor's identity.
 *
 * <p>Any thread may call any method; that no thread uses the number while another closes it is up to the caller.
 */
@ProviderType
public interface OwnedFd extends AutoCloseable {
    /**
     * The number, lent: it is valid until {@link #close()} or {@link #detach()}.
     *
     * @return a descriptor number
     * @throws IllegalStateException when closed or detached
     */
    int fd();

    /**
     * Gives the number away, for instance to a native library that will close it. {@link #close()} does nothing then.
     *
     * @return a descriptor number that the caller must close
     * @throws IllegalStateException when closed or detached
     */
    int detach();

    /**
     * Names the heap of the memory behind it, so that a sender of the descriptor can keep to the heap's rules, such as
     * {@link HeapProperties#PEERS}.
     *
     * @return the heap's service properties as they were at allocation, empty for a descriptor from elsewhere
     */
    default Map<String, Object> heapProperties() {
        return Map.of();
    }

    /** Closes the descriptor. Closing twice does nothing. */
    @Override
    void close();
}
