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
 * Mapping of a buffer into an arena. It has its own hold on the buffer from before the call of the heap until after
 * the unmap. It ends with its arena, or at once if mapping fails. The buffer's list of mappings refers to it, so it
 * stays reachable even if the arena lost its cleanup action.
 */
final class BufferMapping extends EndsOnce implements RepeatableWork {
    /**
     * The cleanup action of an arena. Only the arena refers to it. Java creates a segment before it calls the action.
     * If Java memory is too short for that segment, the action is not called, and the garbage collector reports this
     * object as lost.
     */
    private static final class ArenaEnd implements Consumer<MemorySegment> {
        private BufferMapping mapping;

        @Override
        public void accept(MemorySegment segment) {
            mapping.lost();
        }
    }

    private final SharedBuffer buffer;
    /** The heap's mapping; null until it exists. */
    private MemorySegment memory;

    private boolean unmapped;
    // Links of the buffer's list, guarded by the buffer.
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
    @SuppressWarnings("restricted") // ties the heap's mapping to the client's arena
    static MemorySegment map(SharedBuffer buffer, Access access, Arena arena) {
        if (arena.scope().equals(Arena.global().scope())) {
            throw HeapException.of(
                    Errno.EINVAL,
                    buffer.heapName(),
                    buffer.text() + ": the global arena never ends, so it would never be unmapped; use a confined,"
                            + " shared or automatic arena");
        }
        if (!buffer.reaper().help()) {
            throw HeapException.of(
                    Errno.EBUSY,
                    buffer.heapName(),
                    buffer.text() + ": it cannot be mapped, because "
                            + buffer.reaper().hanging() + "; report that to the heap's vendor");
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
            if (segment == null && mapping.beginEnd()) { // beginEnd is false if the arena has already ended the mapping
                mapping.endNow();
            }
        }
    }

    private void endNow() {
        try {
            attempt();
        } catch (OutOfMemoryError | StackOverflowError e) {
            buffer.reaper().submit(this); // the remaining steps
        }
    }

    private MemorySegment mapMemory(Access access) {
        try {
            return mapOnce(access);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM) {
                throw e;
            }
            buffer.reaper().settle(System.nanoTime() + Reaper.PATIENCE); // pending unmaps count against the limit
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

    /**
     * Checks the size and the address of a mapping. An address proves an alignment of at most a page; only a device
     * sees a larger alignment.
     */
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

    /** Submits the unmap to the reaper, because the arena has ended. */
    @Override
    public void lost() {
        if (beginEnd()) {
            buffer.reaper().submit(this);
        }
    }

    /** Unmaps and drops the hold. Each step is done once, even if this method fails and is called again. */
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
