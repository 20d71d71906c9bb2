// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.source.HeapRefusal;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.RequestValidator;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;

/** Exporter with a capacity of {@value Books#CAPACITY} bytes. */
final class OwnExporter implements HeapExporter, RegionMap {
    private final MemorySource source;
    private final RequestValidator validator = new RequestValidator(OwnHeap.NAME, "");
    private final Books books = new Books();

    OwnExporter(MemorySource source) {
        this.source = source;
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        HeapRequest whole = request.withSize(validator.wholePages(request));
        if (whole.size() > Books.CAPACITY) {
            throw HeapRefusal.noRoom(OwnHeap.NAME, whole.size(), Books.CAPACITY);
        }
        books.take(whole);
        boolean made = false;
        try {
            HeapBuffer buffer = new OwnBuffer(
                    source.allocate(whole), whole.export() != ExportMode.NONE, () -> books.giveBack(whole));
            made = true;
            return buffer;
        } finally {
            if (!made) {
                books.giveBack(whole);
            }
        }
    }

    @Override
    public HeapUsage usage() {
        return books.usage();
    }

    @Override
    public long trim(long bytes) {
        return books.trim() + source.trim(bytes);
    }

    @Override
    public long size() {
        return Books.CAPACITY;
    }

    @Override
    public void forEachStretch(Visitor visitor) {
        books.stretches().forEach(visitor::stretch);
    }
}
