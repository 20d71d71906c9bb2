// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.OptionalLong;

/**
 * Identity of the file behind the exported descriptors of a buffer.
 *
 * @param inode inode number
 * @param fileSystem device number of its file system; empty if the kernel does not report it
 */
public record ExportedFile(long inode, OptionalLong fileSystem) {}
