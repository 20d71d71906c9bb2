// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

/**
 * What {@code load} did.
 *
 * @param buffer the new buffer
 * @param bytes length of the file
 * @param sha256Mapping of the bytes, read through a mapping of the buffer
 * @param sha256Descriptor of the bytes, read through an exported descriptor
 */
record LoadedFile(BufferInfo buffer, long bytes, String sha256Mapping, String sha256Descriptor) {}
