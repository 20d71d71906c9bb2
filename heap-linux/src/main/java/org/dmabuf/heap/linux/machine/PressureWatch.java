// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

/** Tells one thread when the machine runs short of memory. */
public interface PressureWatch extends AutoCloseable {
    /** {@return whether the kernel itself tells; else the machine's figures have to be looked at from time to time} */
    boolean tells();

    /**
     * Waits until memory is short, {@link #wake} is called, or time has passed.
     *
     * @param nanos how long at most
     * @return whether the kernel said that memory is short
     */
    boolean await(long nanos);

    /** Ends a wait, or the next one. Does nothing once closed. */
    void wake();

    /** By the thread that waits, when it waits no more. */
    @Override
    void close();
}
