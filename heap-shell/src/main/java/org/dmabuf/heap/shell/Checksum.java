// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

/**
 * What {@code sum} found.
 *
 * @param buffer the buffer's name
 * @param bytes how many were summed
 * @param sha256 in hexadecimal
 */
record Checksum(String buffer, long bytes, String sha256) {}
