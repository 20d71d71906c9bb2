// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.client;

import org.dmabuf.heap.DmaBuf;

/**
 * A reference that a worker has.
 *
 * @param buffer the buffer
 * @param pattern the content of the memory
 * @param writable whether it can be mapped for writing
 * @param exportable whether it can be exported
 * @param brokerLife the broker's start in which it was created; it ends with that broker
 */
record Held(DmaBuf buffer, Pattern pattern, boolean writable, boolean exportable, int brokerLife) {
    Held duplicate() {
        return new Held(buffer.newReference(), pattern, writable, exportable, brokerLife);
    }
}
