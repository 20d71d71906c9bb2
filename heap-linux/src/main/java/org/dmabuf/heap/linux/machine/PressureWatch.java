// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

/** Watch for a shortage of the machine's memory, on which one thread waits. */
public interface PressureWatch extends AutoCloseable {
    /** {@return whether the kernel itself reports a shortage; else the caller reads the figures from time to time} */
    boolean isNotified();

    /**
     * Waits until memory is short, {@link #wake} is called, or time has passed.
     *
     * @param nanos how long at most
     * @return whether the kernel reported that memory is short
     */
    boolean await(long nanos);

    /** Ends a wait, or the next one. Does nothing once closed. */
    void wake();

    /** Called by the thread that waits, after its last wait. */
    @Override
    void close();
}
