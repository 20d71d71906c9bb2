// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

/**
 * New memfd.
 *
 * @param fd its descriptor, which the receiver of this object owns
 * @param inLargeFolios bytes of it that lie in large folios
 */
public record NewMemfd(int fd, long inLargeFolios) {}
