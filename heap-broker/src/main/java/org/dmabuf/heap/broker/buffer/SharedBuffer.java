// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.ReferenceQueue;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.Charged;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.ThrownText;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.release.RepeatableWork;
import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The buffer of one allocation, shared by its references, mappings and CPU accesses. Each of them has one hold, and the
 * last drop releases the memory. When a descriptor has been exported, the charge goes on until the last holder is gone.
 * It knows the heap's buffer and nothing of clients.
 */
public final class SharedBuffer extends LinkedDeferredWork implements RepeatableWork, Charged {
    private static final Logger LOG = LoggerFactory.getLogger(SharedBuffer.class);
    private static final VarHandle HOLDS;
    private static final VarHandle CPU_ACCESSES;

    static {
        try {
            HOLDS = MethodHandles.lookup().findVarHandle(SharedBuffer.class, "holds", int.class);
            CPU_ACCESSES = MethodHandles.lookup().findVarHandle(SharedBuffer.class, "cpuAccesses", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private static final int NOT_EXPORTED = -1;

    private final HeapDescription heap;
    private final Charge charge;
    private final BufferServices services;
    private final Reaper reaper;
    private final Optional<String> name;
    private final long size;
    private final long alignment;
    private final ExportMode export;

    private volatile int holds = 1;
    /** How many of the holds belong to CPU accesses. */
    private volatile int cpuAccesses;
    /** How many of the holds belong to mappings. Mappings write it, under the lock of this. */
    volatile int mappings;
    /** The list of the mappings, which they link under the lock of this. */
    BufferMapping firstMapping;

    /**
     * The heap's buffer; null once released: a client may keep a closed reference, and the heap's classes must be free.
     */
    private HeapBuffer memory;
    /** The heap's descriptor, lent until the release, once a duplicate was exported. */
    private volatile int exportedOf = NOT_EXPORTED;

    /** The watch over other holders, from the first export on; null until then. Written under the lock of this. */
    private HolderWatch exported;
    /** The action when they are gone. It is made with the watch, because it must not fail at the end. */
    private Runnable holdersGone;

    private boolean reported;

    /**
     * Takes over a heap's buffer. The caller has the first hold.
     *
     * @param memory released once, with the last hold
     * @param size bytes, as the memory reports
     * @param alignment bytes, as it was asked for
     * @param heap the heap that made it
     * @param charge ended when the memory has no holder
     * @param export whether a descriptor may be asked for, and what it permits
     * @param name for people
     * @param services the services that it uses during its life
     */
    public SharedBuffer(
            HeapBuffer memory,
            long size,
            long alignment,
            HeapDescription heap,
            Charge charge,
            ExportMode export,
            Optional<String> name,
            BufferServices services) {
        this.memory = memory;
        this.size = size;
        this.alignment = alignment;
        this.heap = heap;
        this.charge = charge;
        this.export = export;
        this.name = name;
        this.services = services;
        reaper = charge.share().account().reaper();
    }

    @Override
    public long size() {
        return size;
    }

    /** {@return bytes, as it was asked for} */
    long alignment() {
        return alignment;
    }

    /** {@return the reaper that unmaps and releases it where a client must not wait} */
    Reaper reaper() {
        return reaper;
    }

    @Override
    public Optional<String> name() {
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
            if (now <= 0) {
                return false;
            }
        } while (!HOLDS.compareAndSet(this, now, now + 1));
        return true;
    }

    /**
     * Gives up a hold. The last one releases the memory on this thread, or on the reaper's where this thread lacks
     * stack or memory for it. When it throws it may be called again for the same hold.
     */
    public void drop() {
        if ((int) HOLDS.getAndAdd(this, -1) <= 1) { // less than 1 when it is called again
            try {
                end();
            } catch (OutOfMemoryError | StackOverflowError e) {
                reaper.submit(this); // what is left to do
            }
        }
    }

    /**
     * Gives up a hold. The last one releases the memory, on the reaper's thread. When it throws it may be called again
     * for the same hold.
     *
     * @return the reaper, or null when it was not the last hold
     */
    Reaper dropLater() {
        if ((int) HOLDS.getAndAdd(this, -1) <= 1) {
            reaper.submit(this);
            return reaper;
        }
        return null;
    }

    /** Ends the buffer, which has no holds. Each step is done once, also when it fails and is called again. */
    private void end() {
        HeapBuffer given = memory;
        if (given != null) {
            boolean repeatable = given instanceof RepeatableRelease;
            memory = repeatable ? given : null;
            try {
                given.release();
            } catch (OutOfMemoryError | StackOverflowError e) {
                if (repeatable) {
                    throw e;
                }
                report("release failed, its memory may be lost", e);
            } catch (Throwable e) {
                report("release failed, its memory may be lost", e);
            }
            memory = null;
        }
        if (!reported) {
            reported = true;
            services.events().released(heap.name(), name.orElse(""), size, exported != null);
        }
        if (exported == null) {
            charge.end();
        } else {
            charge.linger();
            awaitHolders();
        }
    }

    /** Waits for other holders. It is called after the release: until then this process is a holder itself. */
    private void awaitHolders() {
        try {
            exported.whenGone(holdersGone);
        } catch (IllegalStateException e) {
            LOG.debug("it was said before, and failed later than that", e);
        }
    }

    /** Ends the buffer on the reaper's thread. */
    @Override
    public void attempt() {
        end();
    }

    @Override
    public String what() {
        return "the release of a " + this;
    }

    @Override
    public long bytes() {
        return size;
    }

    /** Logs a throwable that a heap's code must not throw. Neither its text nor the log can stop the caller. */
    void report(String what, Throwable thrown) {
        try {
            LOG.error("{}: {}", this, what, thrown);
        } catch (Throwable e) {
            // A logger that fails, or a text of the heap's own making: there is nowhere left to say so.
        }
    }

    BufferServices services() {
        return services;
    }

    BrokerEvents events() {
        return services.events();
    }

    /** {@return the queue for its mappings and references that become unreachable} */
    ReferenceQueue<Object> lost() {
        return services.lost();
    }

    /** {@return the buffer that the heap made; for a caller with a hold, until it gives that up} */
    HeapBuffer memory() {
        return memory;
    }

    /** {@return where it was allocated, innermost call first; empty when that is not kept} */
    List<StackTraceElement> site() {
        return charge.site();
    }

    OptionalLong inode() {
        return export != ExportMode.NONE
                ? OptionalLong.of(services.descriptors().inode(heap.name(), descriptor()))
                : OptionalLong.empty();
    }

    /** {@return the rule of the heap for the peers that may have a descriptor} */
    Optional<PeerRule> peers() {
        return heap.peers();
    }

    /** {@return whether a descriptor would permit to write} */
    boolean exportsWritable() {
        return export == ExportMode.READ_WRITE;
    }

    /**
     * Makes a descriptor.
     *
     * @param owner gets it
     */
    void exportFd(OwnedFd owner) {
        if (export == ExportMode.NONE) {
            throw HeapException.of(
                    Errno.ENOTSUP,
                    heap.name(),
                    text() + " was allocated with ExportMode.NONE and has no descriptor to give; allocate it with"
                            + " READ_ONLY or READ_WRITE");
        }
        int descriptor = descriptor();
        synchronized (this) {
            if (exported == null && services.holders().isPresent()) { // before the first descriptor leaves
                holdersGone = charge::end;
                exported = services.holders().get().watch(heap.name(), size, descriptor);
            }
        }
        services.descriptors().duplicate(heap.name(), descriptor, owner);
        exportedOf = descriptor;
    }

    /** Counts a CPU access, or with -1 its end. */
    void countCpuAccess(int more) {
        CPU_ACCESSES.getAndAdd(this, more);
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

    /** {@return the exception for a throwable that a heap's code must not throw; the buffer is as before the call} */
    HeapException failed(String call, Throwable thrown) {
        report("the heap failed in " + call + "; report that to its vendor", thrown);
        return HeapException.of(
                Errno.EIO,
                heap.name(),
                text() + ": the heap's code failed in " + call + " with " + ThrownText.text(thrown)
                        + "; report that to its vendor",
                thrown);
    }

    /** Counts the uses, and reads the inode of the descriptor that the heap lent. */
    @Override
    public Uses uses() {
        int mapped = Math.max(0, mappings);
        int begun = Math.max(0, cpuAccesses);
        int references = Math.max(0, holds - mapped - begun);
        int descriptor = exportedOf;
        if (descriptor == NOT_EXPORTED || !hold()) {
            return new Uses(references, mapped, begun, descriptor != NOT_EXPORTED, OptionalLong.empty());
        }
        OptionalLong inode = OptionalLong.empty();
        try {
            inode = OptionalLong.of(services.descriptors().inode(heap.name(), descriptor));
        } catch (HeapException e) {
            LOG.warn("{}: its inode cannot be told", this, e);
        } finally {
            dropLater();
        }
        return new Uses(references, mapped, begun, true, inode);
    }

    /** {@return the buffer for a sentence that names the heap before it} */
    String text() {
        return "buffer " + name.map(text -> "'" + Printable.of(text) + "' ").orElse("") + "of " + Bytes.text(size);
    }

    @Override
    public String toString() {
        return text() + " from heap '" + heap.name() + "'";
    }
}
