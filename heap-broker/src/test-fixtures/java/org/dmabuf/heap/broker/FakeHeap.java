// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Heap that answers as a test defines, and records the requests that it gets. */
public final class FakeHeap implements HeapExporter {
    private final Function<HeapRequest, HeapBuffer> answer;
    private final List<HeapRequest> asked = new ArrayList<>();
    private volatile FakeMemory last;

    /** Creates a heap that always has memory. */
    public FakeHeap() {
        this(request -> new FakeMemory(request.size()));
    }

    public FakeHeap(Function<HeapRequest, HeapBuffer> answer) {
        this.answer = answer;
    }

    public static FakeHeap refusing(Errno errno, String heap, String reason) {
        return new FakeHeap(request -> {
            throw HeapException.of(errno, heap, reason);
        });
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        synchronized (asked) {
            asked.add(request);
        }
        HeapBuffer buffer = answer.apply(request);
        if (buffer instanceof FakeMemory memory) {
            last = memory;
        }
        return buffer;
    }

    @Override
    public HeapUsage usage() {
        return HeapUsage.unknown().withCapacity(1 << 20);
    }

    public List<HeapRequest> asked() {
        synchronized (asked) {
            return List.copyOf(asked);
        }
    }

    /** {@return the last buffer that it allocated} */
    public FakeMemory memory() {
        return last;
    }
}
