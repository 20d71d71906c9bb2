// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import org.dmabuf.heap.Errno;

/** Packet that does not keep to the protocol, or a value that has no form on the wire. */
public final class MalformedPacketException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Errno errno;

    /**
     * Makes an exception.
     *
     * @param errno error of the reply
     * @param sentence description of the violation
     */
    public MalformedPacketException(Errno errno, String sentence) {
        super(sentence);
        this.errno = errno;
    }

    MalformedPacketException(String sentence) {
        this(Errno.EINVAL, sentence);
    }

    /** {@return the error of the reply} */
    public Errno errno() {
        return errno;
    }
}
