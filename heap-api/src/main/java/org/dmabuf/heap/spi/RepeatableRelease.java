// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Marker of a buffer whose {@code unmap} and {@code release} can be called again after an {@link OutOfMemoryError} or a
 * {@link StackOverflowError}. The second call makes only those system calls that the first did not make. The buffer
 * enters the kernel only with enough stack to return, so an error means that the system call was not made.
 */
@ConsumerType
public interface RepeatableRelease {}
