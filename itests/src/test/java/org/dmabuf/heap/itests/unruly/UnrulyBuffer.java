// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.unruly;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapBuffer;

/**
 * A correct buffer with one fault. The fault occurs after the work is done, so that a test can look for leaked
 * resources.
 */
final class UnrulyBuffer implements HeapBuffer {
    private final HeapBuffer good;
    private final long fault;
    private final AtomicLong unreleased;
    private MemorySegment whole;

    UnrulyBuffer(HeapBuffer good, long fault, AtomicLong unreleased) {
        this.good = good;
        this.fault = fault;
        this.unreleased = unreleased;
    }

    @Override
    public long size() {
        failIf(UnrulyHeap.FAIL_IN_SIZE);
        return good.size();
    }

    @Override
    public int descriptor() {
        return good.descriptor();
    }

    @Override
    public MemorySegment map(Access access) {
        MemorySegment mapping = good.map(access);
        if (fault == UnrulyHeap.MAP_TOO_LITTLE) {
            whole = mapping;
            return mapping.asSlice(0, mapping.byteSize() - 4096);
        }
        return mapping;
    }

    @Override
    public void unmap(MemorySegment mapping) {
        good.unmap(fault == UnrulyHeap.MAP_TOO_LITTLE ? whole : mapping);
        failIf(UnrulyHeap.FAIL_IN_UNMAP);
    }

    @Override
    public void endCpuAccess(Access access) {
        failIf(UnrulyHeap.FAIL_IN_END);
    }

    @Override
    public void release() {
        good.release();
        unreleased.decrementAndGet();
        failIf(UnrulyHeap.FAIL_IN_RELEASE);
    }

    private void failIf(long other) {
        if (fault == other) {
            throw new IllegalStateException("the vendor's own trouble");
        }
    }
}
