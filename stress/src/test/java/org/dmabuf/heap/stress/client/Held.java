// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.client;

import org.dmabuf.heap.DmaBuf;

/**
 * A reference that a worker has.
 *
 * @param buffer the reference
 * @param pattern what the memory holds
 * @param writable whether it can be mapped for writing
 * @param exportable whether it has a descriptor
 * @param brokerLife when it was made: it ends with its broker
 */
record Held(DmaBuf buffer, Pattern pattern, boolean writable, boolean exportable, int brokerLife) {
    Held duplicate() {
        return new Held(buffer.newReference(), pattern, writable, exportable, brokerLife);
    }
}
