// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;

/** Frames that a camera holds, for use by one thread. Closing releases all of them. */
final class Frames implements AutoCloseable {
    private final List<DmaBuf> frames = new ArrayList<>();
    private long nanosToFirst;

    /**
     * Allocates frames with one request each. If a request fails, the earlier frames stay allocated until
     * {@link #close}.
     */
    void take(Supplier<DmaBuf> allocation, int count) {
        long start = System.nanoTime();
        for (int i = 0; i < count; i++) {
            DmaBuf taken = allocation.get();
            frames.add(taken); // before anything else can fail
            if (i == 0) {
                touch(taken);
                nanosToFirst = System.nanoTime() - start;
            }
        }
    }

    /** Writes the first byte, because only an access shows that a mapping has memory. */
    private static void touch(DmaBuf frame) {
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = frame.beginCpuAccess(Access.WRITE)) {
            frame.map(Access.WRITE, arena).set(JAVA_BYTE, 0, (byte) 16);
        }
    }

    /** {@return microseconds from the first request until its frame was mapped and written} */
    long microsToFirst() {
        return nanosToFirst / 1000;
    }

    /** {@return the heaps in the order of their first frames, each with its number of frames} */
    String perHeap() {
        Map<String, Integer> counts = new LinkedHashMap<>();
        frames.forEach(frame -> counts.merge(frame.heapName(), 1, Integer::sum));
        return counts.entrySet().stream()
                .map(heap -> heap.getKey() + " " + heap.getValue())
                .collect(Collectors.joining(", "));
    }

    @Override
    public void close() {
        frames.forEach(DmaBuf::close);
    }
}
