// SPDX-License-Identifier: Apache-2.0
package org.example.policy;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * Buffer of another heap whose refusals name this heap. It works after this bundle has gone: its class and those it
 * names are loaded when the buffer is made, and it has no lambda and no inner class.
 */
final class RenamedBuffer implements HeapBuffer {
    private final HeapBuffer buffer;

    RenamedBuffer(HeapBuffer buffer) {
        this.buffer = buffer;
    }

    @Override
    public long size() {
        return buffer.size();
    }

    @Override
    public int descriptor() {
        try {
            return buffer.descriptor();
        } catch (HeapException e) {
            throw LimitedExporter.renamed(e);
        }
    }

    @Override
    public MemorySegment map(Access access) {
        try {
            return buffer.map(access);
        } catch (HeapException e) {
            throw LimitedExporter.renamed(e);
        }
    }

    @Override
    public void unmap(MemorySegment mapping) {
        buffer.unmap(mapping);
    }

    @Override
    public void beginCpuAccess(Access access) {
        buffer.beginCpuAccess(access);
    }

    @Override
    public void endCpuAccess(Access access) {
        buffer.endCpuAccess(access);
    }

    @Override
    public void release() {
        buffer.release();
    }
}
