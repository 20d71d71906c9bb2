// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.ProcessLimit;
import org.dmabuf.heap.linux.text.Bytes;

/** Usage of a source whose buffers are files in memory, to which the process's limit of file sizes applies. */
public final class MemfdUsage {
    private MemfdUsage() {}

    /**
     * {@return the free memory now}
     *
     * @param headroom the machine's remaining memory
     * @param largest most bytes of one buffer, {@link Long#MAX_VALUE} without a limit of the source
     */
    public static HeapUsage of(Headroom headroom, long largest) {
        long most = Math.min(largest, largestFile());
        long free = most < Bytes.PAGE ? 0 : headroom.available();
        HeapUsage usage = HeapUsage.unknown().withFree(free);
        return most == Long.MAX_VALUE ? usage : usage.withLargestFree(Math.min(free, most));
    }

    private static long largestFile() {
        try {
            return ProcessLimit.FILE_SIZE.now().orElse(Long.MAX_VALUE);
        } catch (HeapException e) {
            return Long.MAX_VALUE; // no descriptor is left to read with; an allocation reports the limit
        }
    }
}
