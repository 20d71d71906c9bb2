// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/** Something that a client has open, and that is taken back when its bundle has stopped. */
interface Holding {
    /** Ends it. Never throws; doing it twice does nothing. */
    void reclaim();
}
