// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

/** Connection that an {@link FdListener} accepts. */
interface Connection extends AutoCloseable {
    /** {@return the process that connected} */
    PeerCredentials peer();

    @Override
    void close();
}
