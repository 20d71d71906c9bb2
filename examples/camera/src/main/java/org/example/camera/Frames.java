// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;

/** The frames that a camera holds, to be used by one thread. Closing gives all of them back. */
final class Frames implements AutoCloseable {
    private final List<DmaBuf> frames = new ArrayList<>();
    private long nanosToFirst;

    /** Takes some, one request each. When one is refused those before it are kept, for {@link #close} to give back. */
    void take(HeapBroker broker, AllocationRequest frame, int count) {
        long start = System.nanoTime();
        for (int i = 0; i < count; i++) {
            DmaBuf taken = broker.allocate(frame);
            frames.add(taken); // before anything else can fail
            if (i == 0) {
                touch(taken);
                nanosToFirst = System.nanoTime() - start;
            }
        }
    }

    /** A mapping alone is a promise: the first byte written shows that there is memory behind it. */
    private static void touch(DmaBuf frame) {
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = frame.beginCpuAccess(Access.WRITE)) {
            frame.map(Access.WRITE, arena).set(JAVA_BYTE, 0, (byte) 16);
        }
    }

    /** {@return microseconds from the first request until that frame was mapped and written} */
    long microsToFirst() {
        return nanosToFirst / 1000;
    }

    /** {@return the heaps in the order in which they came to give, each with its number of frames} */
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
