// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

/** Watch for a shortage of the machine's memory, on which one thread waits. */
public interface PressureWatch extends AutoCloseable {
    /** {@return whether the kernel reports a shortage; otherwise the caller polls the figures} */
    boolean isNotified();

    /**
     * Waits until memory is short, {@link #wake} is called, or the time has passed.
     *
     * @param nanos longest wait
     * @return whether the kernel reported that memory is short
     */
    boolean await(long nanos);

    /** Ends the current wait, or the next one. Does nothing after {@link #close}. */
    void wake();

    /** Closes the watch. The waiting thread calls it after its last wait. */
    @Override
    void close();
}
