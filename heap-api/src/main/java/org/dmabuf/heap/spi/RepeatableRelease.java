// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Mark of a buffer whose {@code unmap} and {@code release} can be called again when they threw an
 * {@link OutOfMemoryError} or a {@link StackOverflowError}: each system call in them is made once, and one that was not
 * made is made then. The kernel is entered only with stack to return on, so an error means that the call was not made.
 */
@ConsumerType
public interface RepeatableRelease {}
