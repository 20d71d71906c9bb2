// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.heap;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.stress.Tally;

/** A buffer of the faulty heap. Its faults occur after the work is done, so that no resource is lost. */
final class FaultyBuffer implements HeapBuffer {
    /**
     * The value of {@link #state} after the release; before it, the state is the number of open mappings and CPU
     * accesses.
     */
    private static final int RELEASED = Integer.MIN_VALUE / 2;

    private final Tally tally;
    private final String heap;
    private final Random random;
    private final HeapBuffer memory;
    private final long size;
    private final AtomicInteger state = new AtomicInteger();

    FaultyBuffer(Tally tally, String heap, Random random, HeapBuffer memory, long size) {
        this.tally = tally;
        this.heap = heap;
        this.random = random;
        this.memory = memory;
        this.size = size;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int descriptor() {
        count(0, "descriptor");
        return memory.descriptor();
    }

    @Override
    public MemorySegment map(Access access) {
        count(0, "map");
        int fate = random.nextInt(1000);
        if (fate < 20) {
            throw HeapException.of(Errno.ENOMEM, heap, "no room for a mapping, this time");
        } else if (fate < 30) {
            throw HeapException.of(Errno.EIO, heap, "no mapping, this time");
        }
        MemorySegment mapping = memory.map(access);
        count(1, "map");
        return mapping;
    }

    @Override
    public void unmap(MemorySegment mapping) {
        memory.unmap(mapping);
        count(-1, "unmap");
        mistake();
    }

    @Override
    public void beginCpuAccess(Access access) {
        if (random.nextInt(1000) < 20) {
            throw HeapException.of(Errno.EIO, heap, "no access, this time");
        }
        count(1, "begin");
    }

    @Override
    public void endCpuAccess(Access access) {
        count(-1, "end");
        if (random.nextInt(1000) < 10) {
            throw HeapException.of(Errno.EIO, heap, "ended badly, this time");
        }
    }

    @Override
    public void release() {
        int before = state.getAndSet(RELEASED);
        if (before != 0) {
            wrong("released " + (before < 0 ? "twice" : "with " + before + " mappings and accesses open"));
        }
        memory.release();
        tally.released();
        mistake();
    }

    private void mistake() {
        if (random.nextInt(1000) < 10) {
            throw new IllegalStateException("a vendor's mistake");
        }
    }

    private void count(int more, String call) {
        int now = state.addAndGet(more);
        if (now < 0) {
            wrong(call + " after the release, or without its beginning");
        }
    }

    private void wrong(String what) {
        tally.fail("a call of the broker", new AssertionError("buffer of heap '" + heap + "': " + what));
    }
}
