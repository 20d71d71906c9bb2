// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.RequestValidator;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;

/** Exporter that gives at most {@value #CAPACITY} bytes at a time. */
final class OwnExporter implements HeapExporter, RegionMap {
    static final long CAPACITY = 1 << 20;

    private final MemorySource source;
    private final RequestValidator validator = new RequestValidator(OwnHeap.NAME, "");
    private final AtomicLong used = new AtomicLong();

    OwnExporter(MemorySource source) {
        this.source = source;
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = validator.wholePages(request);
        if (request.heapFlags() != 0) {
            throw new HeapException(Errno.EINVAL, OwnHeap.NAME, "unknown flags " + request.heapFlags());
        }
        if (used.addAndGet(size) > CAPACITY) {
            used.addAndGet(-size);
            throw new HeapException(
                    Errno.ENOMEM, OwnHeap.NAME, Bytes.text(size) + " for '" + request.name() + "' do not fit");
        }
        try {
            return new OwnBuffer(source.allocate(request), () -> used.addAndGet(-size));
        } catch (RuntimeException | Error e) {
            used.addAndGet(-size);
            throw e;
        }
    }

    @Override
    public HeapUsage usage() {
        long free = CAPACITY - used.get();
        return HeapUsage.unknown()
                .withCapacity(CAPACITY)
                .withFree(free)
                .withLargestFree(free)
                .withQuarantined(0)
                .withFragmentation(0)
                .withPool(new PoolUsage("none", 0, 0, 0));
    }

    @Override
    public long trim(long bytes) {
        return source.trim(bytes);
    }

    @Override
    public long size() {
        return CAPACITY;
    }

    @Override
    public void forEachStretch(Visitor visitor) {
        long now = used.get();
        if (now > 0) {
            visitor.stretch(0, now, State.USED);
        }
        visitor.stretch(now, CAPACITY - now, State.FREE);
    }
}
