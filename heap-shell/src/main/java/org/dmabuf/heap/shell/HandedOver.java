// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.linux.socket.PeerCredentials;

/**
 * What {@code share} or {@code receive} did.
 *
 * @param buffer the buffer, here
 * @param bytes that mean something
 * @param peer the process at the other end
 * @param sent whether it has it from here, and not the other way round
 */
record HandedOver(BufferInfo buffer, long bytes, PeerCredentials peer, boolean sent) {}
