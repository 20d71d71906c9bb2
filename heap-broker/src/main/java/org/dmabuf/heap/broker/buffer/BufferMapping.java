// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.release.RepeatableWork;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * A mapping of a buffer into an arena. It has a hold of its own from before the heap is asked until after the unmap. It
 * ends with its arena, or in the call that maps when that fails. The buffer's list of mappings keeps it, so it outlives
 * an arena that lost its cleanup action.
 */
final class BufferMapping extends EndsOnce implements RepeatableWork {
    /**
     * The cleanup action of an arena. Only the arena refers to it. Java makes a segment before it calls the action.
     * Where that fails for want of memory the action is not called: the collector then reports it as lost.
     */
    private static final class ArenaEnd implements Consumer<MemorySegment> {
        private BufferMapping mapping;

        @Override
        public void accept(MemorySegment segment) {
            mapping.lost();
        }
    }

    private final SharedBuffer buffer;
    /** The heap's mapping; null until there is one. */
    private MemorySegment memory;

    private boolean unmapped;
    // The rest are links of the buffer's list, under the lock of the buffer.
    private boolean listed;
    private BufferMapping before;
    private BufferMapping after;

    private BufferMapping(SharedBuffer buffer, ArenaEnd arenaEnd) {
        super(arenaEnd, buffer.lost());
        this.buffer = buffer;
        arenaEnd.mapping = this;
    }

    /**
     * Maps a buffer into an arena.
     *
     * @return the segment, or null when the memory is released
     */
    @SuppressWarnings("restricted") // ties a heap's mapping to the client's arena
    static MemorySegment map(SharedBuffer buffer, Access access, Arena arena) {
        if (arena.scope().equals(Arena.global().scope())) {
            throw HeapException.of(
                    Errno.EINVAL,
                    buffer.heapName(),
                    buffer.text() + ": the global arena never ends, so the mapping would never go; use a confined,"
                            + " shared or automatic arena");
        }
        if (!buffer.reaper().help()) {
            throw HeapException.of(
                    Errno.EBUSY,
                    buffer.heapName(),
                    buffer.text() + ": it is not mapped while " + buffer.reaper().hanging()
                            + "; report that to the heap's vendor");
        }
        ArenaEnd arenaEnd = new ArenaEnd();
        BufferMapping mapping = new BufferMapping(buffer, arenaEnd);
        if (!buffer.hold()) {
            return null;
        }
        MemorySegment segment = null;
        try {
            mapping.link();
            mapping.memory = mapping.mapMemory(access);
            mapping.requireWhole();
            segment = mapping.memory.reinterpret(arena, arenaEnd);
            return access.writes() ? segment : segment.asReadOnly();
        } finally {
            if (segment == null && mapping.beginEnd()) { // an arena that has taken over the end does it as well
                mapping.endNow();
            }
        }
    }

    private void endNow() {
        try {
            attempt();
        } catch (OutOfMemoryError | StackOverflowError e) {
            buffer.reaper().submit(this); // what is left to do
        }
    }

    private MemorySegment mapMemory(Access access) {
        try {
            return mapOnce(access);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM) {
                throw e;
            }
            buffer.reaper().settle(System.nanoTime() + Reaper.PATIENCE); // ended mappings count against the same limit
            return mapOnce(access);
        }
    }

    private MemorySegment mapOnce(Access access) {
        try {
            return buffer.memory().map(access);
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            throw buffer.failed("map", e);
        }
    }

    /** An address shows the alignment of the memory up to a page; beyond that only a device sees it. */
    private void requireWhole() {
        long mapped = memory == null || !memory.isNative() ? 0 : memory.byteSize();
        if (mapped != buffer.size()) {
            throw HeapException.of(
                    Errno.EIO,
                    buffer.heapName(),
                    buffer.text() + ": the heap mapped " + mapped + " bytes of it; report that to its vendor");
        }
        if ((memory.address() & (Math.min(buffer.alignment(), Bytes.PAGE) - 1)) != 0) {
            throw HeapException.of(
                    Errno.EIO,
                    buffer.heapName(),
                    buffer.text() + ": the heap mapped it at address 0x" + Long.toHexString(memory.address())
                            + ", which is not aligned to " + Bytes.text(buffer.alignment())
                            + "; report that to its vendor");
        }
    }

    private void link() {
        synchronized (buffer) {
            after = buffer.firstMapping;
            if (after != null) {
                after.before = this;
            }
            buffer.firstMapping = this;
            buffer.mappings++;
            listed = true;
        }
    }

    private void unlink() {
        synchronized (buffer) {
            if (!listed) {
                return;
            }
            if (before != null) {
                before.after = after;
            } else {
                buffer.firstMapping = after;
            }
            if (after != null) {
                after.before = before;
            }
            before = null;
            after = null;
            buffer.mappings--;
            listed = false;
        }
    }

    /** Has the reaper unmap: the arena has ended. */
    @Override
    public void lost() {
        if (beginEnd()) {
            buffer.reaper().submit(this);
        }
    }

    /** Unmaps and drops the hold. Each step is done once, also when it fails and is called again. */
    @Override
    public void attempt() {
        MemorySegment mapped = memory;
        if (mapped != null && !unmapped) {
            HeapBuffer held = buffer.memory();
            boolean repeatable = held instanceof RepeatableRelease;
            unmapped = !repeatable;
            try {
                held.unmap(mapped);
            } catch (OutOfMemoryError | StackOverflowError e) {
                if (repeatable) {
                    throw e;
                }
                buffer.report("unmap failed, the mapping may be lost", e);
            } catch (Throwable e) {
                buffer.report("unmap failed, the mapping may be lost", e);
            }
            unmapped = true;
        }
        clear();
        unlink();
        buffer.drop();
    }

    @Override
    public long bytes() {
        return buffer.size();
    }

    @Override
    public String toString() {
        return "the end of a mapping of a " + buffer;
    }
}
