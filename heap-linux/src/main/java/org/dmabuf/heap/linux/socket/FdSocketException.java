// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import org.dmabuf.heap.Errno;

/**
 * Failure of a call on a socket, or of a received message. Its message has the cause and the remedy. When it is thrown,
 * the failed call holds nothing for the caller.
 */
public final class FdSocketException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Errno errno;
    private final int number;

    FdSocketException(Errno errno, String message) {
        this(errno, message, null);
    }

    FdSocketException(Errno errno, String message, Throwable cause) {
        super(message, cause);
        this.errno = errno;
        number = errno.number();
    }

    /** Makes an exception for a failed system call with an error number of the kernel. */
    FdSocketException(int number, String message) {
        super(message);
        errno = Errno.of(number);
        this.number = number;
    }

    /** {@return the kind of failure; {@link Errno#EIO} for a number that Linux does not define} */
    public Errno errno() {
        return errno;
    }

    /** {@return the kernel's error number} */
    public int number() {
        return number;
    }
}
