// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Probe of devices: it asks a device whether it takes the memory of a buffer. A bundle that knows a class of devices
 * registers it as a service. A person starts a probe, for instance by {@code dmaheap:probe}; no request does.
 *
 * <p>A probe never uses a device that another process uses, and leaves the device as it was. The bundle remembers the
 * outcomes that hold for later buffers, and reports them as {@link DeviceDemands}.
 *
 * <p>Several threads may call it at a time.
 */
@ConsumerType
public interface DeviceProbe {
    /** Trial of one device, for use by one thread. While it is open, this process has the device open. */
    interface Trial extends AutoCloseable {
        /** {@return the bytes that a buffer needs under the device's present format} */
        long size();

        /** {@return the device's present format for people, such as {@code 640x480 YUYV}} */
        String format();

        /**
         * Asks the device to take the memory of a buffer, and to give it back. The device transfers no data.
         *
         * @param buffer a buffer of at least {@link #size()} bytes that permits exports; it stays the caller's
         * @return the device's answer, also if it is a refusal
         * @throws org.dmabuf.heap.HeapException when the device could not be asked: the buffer gives no descriptor, or
         *     the device has gone
         */
        ProbeOutcome attach(DmaBuf buffer);

        /**
         * Restores the device's state and closes the device, also after a failure. Closing twice does nothing.
         *
         * @throws org.dmabuf.heap.HeapException when the device refuses its former state; it is closed then
         */
        @Override
        void close();
    }

    /**
     * Begins a trial.
     *
     * @param device the path of a device file, as the client named it
     * @return a trial, which the caller closes; empty if this probe does not know the device
     * @throws org.dmabuf.heap.HeapException with the remedy, when the device is in use
     *     ({@link org.dmabuf.heap.Errno#EBUSY}), cannot be opened, imports no dma-bufs or gives no usable answer;
     *     nothing is open then
     */
    Optional<Trial> begin(String device);

    /**
     * Forgets the outcomes of all trials of a device.
     *
     * @param device the path of a device file, as {@link #begin} took it
     * @return the number of forgotten outcomes, 0 for a device that this probe does not know
     */
    int forget(String device);
}
