// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.Bytes;
import org.dmabuf.heap.linux.PeerWatch;
import org.dmabuf.heap.spi.HeapBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory of one allocation, shared by its references, mappings and brackets: each of them holds it once, and who
 * drops it last releases it. When a descriptor of it has left the process, its charge goes on until no peer holds the
 * memory. Knows the heap's buffer and nothing of clients.
 */
final class Buffer {
    private static final Logger LOG = LoggerFactory.getLogger(Buffer.class);
    private static final VarHandle HOLDS;
    private static final VarHandle MAPPINGS;
    private static final VarHandle BRACKETS;

    static {
        try {
            HOLDS = MethodHandles.lookup().findVarHandle(Buffer.class, "holds", int.class);
            MAPPINGS = MethodHandles.lookup().findVarHandle(Buffer.class, "mappings", int.class);
            BRACKETS = MethodHandles.lookup().findVarHandle(Buffer.class, "brackets", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /**
     * Who uses a buffer at one moment.
     *
     * @param references leases of clients and publications
     * @param mappings not ended
     * @param brackets not ended
     * @param exported whether a descriptor has left
     * @param inode of the descriptor, when one has left
     */
    record Uses(int references, int mappings, int brackets, boolean exported, OptionalLong inode) {
        static final Uses NONE = new Uses(0, 0, 0, false, OptionalLong.empty());
    }

    private final HeapBuffer memory;
    private final HeapDescription heap;
    private final Charge charge;
    private final Upkeep upkeep;
    private final String name;
    private final long size;
    private final long alignment;
    private final boolean exportable;

    private volatile int holds = 1;
    // How many of the holds are of these kinds.
    private volatile int mappings;
    private volatile int brackets;

    private volatile boolean descriptorLeft;

    /** Knows when peers have let go, from the first export on; null until then. Written under the lock of this. */
    private PeerWatch exported;

    /**
     * Takes over a heap's buffer. The caller has the one hold.
     *
     * @param memory released once, with the last hold
     * @param size bytes, as the memory says
     * @param alignment bytes, as it was asked for
     * @param heap where it came from
     * @param charge ended when nobody uses the memory any more
     * @param exportable whether a descriptor may be asked for
     * @param name for people, empty for none
     * @param upkeep what it needs for its life
     */
    Buffer(
            HeapBuffer memory,
            long size,
            long alignment,
            HeapDescription heap,
            Charge charge,
            boolean exportable,
            String name,
            Upkeep upkeep) {
        this.memory = memory;
        this.size = size;
        this.alignment = alignment;
        this.heap = heap;
        this.charge = charge;
        this.exportable = exportable;
        this.name = name;
        this.upkeep = upkeep;
    }

    long size() {
        return size;
    }

    String name() {
        return name;
    }

    String heapName() {
        return heap.name();
    }

    Map<String, Object> heapProperties() {
        return heap.properties();
    }

    /** {@return whether another hold was taken; false once the memory is released} */
    boolean hold() {
        int now;
        do {
            now = holds;
            if (now == 0) {
                return false;
            }
        } while (!HOLDS.compareAndSet(this, now, now + 1));
        return true;
    }

    /** Gives up a hold. The last one releases the memory, on this thread. */
    void drop() {
        if ((int) HOLDS.getAndAdd(this, -1) == 1) {
            release();
        }
    }

    /**
     * Gives up a hold that is taken back and not given. The last one releases the memory, on the reaper's thread, and
     * waits for that no longer than the reaper has patience.
     */
    void dropTakenBack() {
        if ((int) HOLDS.getAndAdd(this, -1) == 1) {
            upkeep.reaper().await(new Release());
        }
    }

    /** Gives up a hold. The last one releases the memory, on the reaper's thread. */
    void dropLater() {
        if ((int) HOLDS.getAndAdd(this, -1) == 1) {
            upkeep.reaper().submit(new Release());
        }
    }

    /** Tells that a client lost its reference to this. */
    void reportLeak(String client) {
        String site = charge.site().stream()
                .map(StackTraceElement::toString)
                .collect(Collectors.joining(System.lineSeparator() + "\tat "));
        LOG.warn(
                "bundle {} lost a {} without closing it; it is released now. {}",
                client,
                this,
                site.isEmpty()
                        ? "Where it was allocated is known with allocation.sites=true in " + BrokerComponent.PID
                        : "It was allocated" + System.lineSeparator() + "\tat " + site);
        upkeep.journal().leaked(heap.name(), client, name, size, site);
    }

    private void release() {
        try {
            memory.release();
        } catch (Throwable e) {
            LOG.error("{}: release failed, its memory may be lost", this, e);
        } finally {
            settle();
        }
    }

    private void settle() {
        try {
            upkeep.journal().released(heap.name(), name, size, exported != null);
        } finally {
            if (exported == null) {
                charge.end();
            } else {
                charge.linger();
                exported.whenGone(charge::end); // after the release: until then we are a holder ourselves
            }
        }
    }

    OptionalLong inode() {
        return exportable
                ? OptionalLong.of(upkeep.descriptors().inode(heap.name(), descriptor()))
                : OptionalLong.empty();
    }

    OwnedFd exportFd() {
        if (!exportable) {
            throw new HeapException(
                    Errno.ENOTSUP,
                    heap.name(),
                    this + " was allocated with exportable(false) and has no descriptor to give; allocate it with"
                            + " exportable(true)");
        }
        int descriptor = descriptor();
        synchronized (this) {
            if (exported == null && upkeep.peers().isPresent()) { // before the first descriptor leaves
                exported = upkeep.peers().get().watch(heap.name(), size, descriptor);
            }
        }
        OwnedFd left = upkeep.descriptors().duplicate(heap.name(), descriptor);
        descriptorLeft = true;
        return left;
    }

    void beginCpuAccess(Access access) {
        try {
            memory.beginCpuAccess(access);
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            throw failed("beginCpuAccess", e);
        }
        BRACKETS.getAndAdd(this, 1);
    }

    void endCpuAccess(Access access) {
        BRACKETS.getAndAdd(this, -1);
        try {
            memory.endCpuAccess(access);
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            throw failed("endCpuAccess", e);
        }
    }

    private int descriptor() {
        try {
            return memory.descriptor();
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            throw failed("descriptor", e);
        }
    }

    /** What a heap's code must not throw; the buffer is as it was before the call. */
    private HeapException failed(String call, Throwable thrown) {
        LOG.error("{}: the heap failed in {}; report that to its vendor", this, call, thrown);
        return new HeapException(
                Errno.EIO,
                heap.name(),
                this + ": the heap's code failed in " + call + " with " + thrown + "; report that to its vendor",
                thrown);
    }

    /** {@return who uses it now; a use that begins or ends meanwhile may be told as a reference} */
    Uses uses() {
        int mapped = Math.max(0, mappings); // one may have ended before it was counted
        int begun = brackets;
        int references = Math.max(0, holds - mapped - begun);
        if (!descriptorLeft || !hold()) {
            return new Uses(references, mapped, begun, descriptorLeft, OptionalLong.empty());
        }
        try {
            return new Uses(references, mapped, begun, true, inode());
        } catch (HeapException e) {
            LOG.warn("{}: its inode cannot be told", this, e);
            return new Uses(references, mapped, begun, true, OptionalLong.empty());
        } finally {
            drop();
        }
    }

    /**
     * Ends a bracket that is taken back and not closed, and gives up its hold, on the reaper's thread. Waits for that
     * no longer than the reaper has patience.
     */
    void endTakenBack(Access access) {
        upkeep.reaper().await(new BracketEnd(access));
    }

    /**
     * Maps into an arena. The mapping has a hold of its own, from before the heap is asked until after the unmap.
     *
     * @return the segment, or null when the memory is released
     */
    @SuppressWarnings("restricted") // ties a heap's mapping to the client's arena
    MemorySegment map(Access access, Arena arena) {
        if (arena.scope().equals(Arena.global().scope())) {
            throw new HeapException(
                    Errno.EINVAL,
                    heap.name(),
                    this + ": the global arena never ends, so the mapping would never go; use a confined, shared or"
                            + " automatic arena");
        }
        upkeep.reaper().help();
        if (!hold()) {
            return null;
        }
        MemorySegment mapping = null;
        MemorySegment segment = null;
        try {
            mapping = mapMemory(access);
            requireWhole(mapping);
            segment = mapping.reinterpret(arena, new Mapping(mapping));
        } finally {
            if (segment == null) {
                if (mapping != null) {
                    unmap(mapping);
                }
                drop();
            }
        }
        MAPPINGS.getAndAdd(this, 1);
        return access.writes() ? segment : segment.asReadOnly();
    }

    /** An address shows the alignment of the memory up to a page; beyond that only a device sees it. */
    private void requireWhole(MemorySegment mapping) {
        long mapped = mapping == null || !mapping.isNative() ? 0 : mapping.byteSize();
        if (mapped != size) {
            throw new HeapException(
                    Errno.EIO,
                    heap.name(),
                    this + ": the heap mapped " + mapped + " bytes of it; report that to its vendor");
        }
        if ((mapping.address() & (Math.min(alignment, Bytes.PAGE) - 1)) != 0) {
            throw new HeapException(
                    Errno.EIO,
                    heap.name(),
                    this + ": the heap mapped it at address 0x" + Long.toHexString(mapping.address())
                            + ", which is not aligned to " + Bytes.text(alignment) + "; report that to its vendor");
        }
    }

    private MemorySegment mapMemory(Access access) {
        try {
            return mapOnce(access);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM) {
                throw e;
            }
            upkeep.reaper().settle(); // mappings whose arenas have ended count against the same limit
            return mapOnce(access);
        }
    }

    private MemorySegment mapOnce(Access access) {
        try {
            return memory.map(access);
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            throw failed("map", e);
        }
    }

    private void unmap(MemorySegment mapping) {
        try {
            memory.unmap(mapping);
        } catch (Throwable e) {
            LOG.error("{}: unmap failed, the mapping may be lost", this, e);
        }
    }

    @Override
    public String toString() {
        return "buffer " + (name.isEmpty() ? "" : "'" + name + "' ") + "of " + Bytes.text(size) + " from heap '"
                + heap.name() + "'";
    }

    /**
     * What an arena does at its end. It keeps the memory reachable, and not the reference through which it was mapped.
     */
    private final class Mapping implements Consumer<MemorySegment>, Runnable {
        private final MemorySegment mapping;

        Mapping(MemorySegment mapping) {
            this.mapping = mapping;
        }

        @Override
        public void accept(MemorySegment ended) {
            upkeep.reaper().submit(this);
        }

        @Override
        public void run() {
            unmap(mapping);
            MAPPINGS.getAndAdd(Buffer.this, -1);
            drop();
        }

        @Override
        public String toString() {
            return "the end of a mapping of a " + Buffer.this;
        }
    }

    /** What is left to do for a bracket that nobody will close. */
    private final class BracketEnd implements Runnable {
        private final Access access;

        BracketEnd(Access access) {
            this.access = access;
        }

        @Override
        public void run() {
            try {
                endCpuAccess(access);
            } catch (Throwable e) { // of a heap whose bundle is gone, too: what it held must still be given up
                LOG.warn("{}: ending a CPU access that was left open failed", Buffer.this, e);
            } finally {
                drop();
            }
        }

        @Override
        public String toString() {
            return "the end of a CPU access to a " + Buffer.this;
        }
    }

    /** What is left to do for a buffer that nobody holds. */
    private final class Release implements Runnable {
        @Override
        public void run() {
            release();
        }

        @Override
        public String toString() {
            return "the release of a " + Buffer.this;
        }
    }
}
