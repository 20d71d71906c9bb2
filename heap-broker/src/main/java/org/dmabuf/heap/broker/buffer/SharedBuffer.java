// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.ReferenceQueue;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.Charged;
import org.dmabuf.heap.broker.account.ExportedFile;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.ThrownText;
import org.dmabuf.heap.broker.release.LinkedDeferredWork;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.broker.release.RepeatableWork;
import org.dmabuf.heap.linux.fence.DeviceFence;
import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Buffer of one allocation, shared by its references, mappings and CPU accesses. Each of them has one hold, and
 * dropping the last hold releases the memory. If a descriptor was exported, the charge continues until the last holder
 * is gone. This class knows the heap's buffer and no clients.
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

    private final HeapDescription heap;
    private final Charge charge;
    private final BufferServices services;
    private final Reaper reaper;
    private final Optional<String> name;
    private final long size;
    private final long alignment;
    private final ExportMode export;

    private volatile int holds = 1;
    /** The number of holds of CPU accesses. */
    private volatile int cpuAccesses;
    /** The number of holds of mappings. Mappings write it under the lock of this. */
    volatile int mappings;
    /** The head of the list of mappings, which link themselves under the lock of this. */
    BufferMapping firstMapping;

    /**
     * The heap's buffer; null once released. A client may keep a closed reference, which must not prevent the unloading
     * of the heap's classes.
     */
    private HeapBuffer memory;
    /** The file of the heap's descriptor, set once a duplicate was exported; null before. */
    private volatile ExportedFile file;

    /** The watch for other holders; null until the first export. Written under the lock of this. */
    private HolderWatch exported;
    /** The action when the last holder is gone. It is created with the watch, so that the end needs no allocation. */
    private Runnable holdersGone;

    private boolean reported;

    /**
     * Takes over a heap's buffer. The caller owns the first hold.
     *
     * @param memory the heap's buffer, released once, with the last hold
     * @param size bytes, as the heap's buffer reports
     * @param alignment bytes, as requested
     * @param heap the heap that made it
     * @param charge the charge, which ends when the memory has no holder
     * @param export whether a descriptor can be exported, and which access it permits
     * @param name for listings
     * @param services the services of the broker
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
        reaper = account().reaper();
    }

    @Override
    public long size() {
        return size;
    }

    /** {@return the alignment in bytes, as requested} */
    long alignment() {
        return alignment;
    }

    /** {@return the account of its heap} */
    HeapAccount account() {
        return charge.share().account();
    }

    /** {@return the reaper that unmaps and releases it when a client must not wait} */
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

    /** Takes another hold. {@return false if the memory is released} */
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
     * Drops a hold. The last drop releases the memory on this thread, or on the reaper's thread if this thread lacks
     * stack or memory. If this method throws, it can be called again for the same hold.
     */
    public void drop() {
        if ((int) HOLDS.getAndAdd(this, -1) <= 1) { // less than 1 in a second call
            try {
                end();
            } catch (OutOfMemoryError | StackOverflowError e) {
                reaper.submit(this); // the remaining steps
            }
        }
    }

    /**
     * Drops a hold. The last drop releases the memory on the reaper's thread. If this method throws, it can be called
     * again for the same hold.
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

    /** Ends the buffer, which has no holds. Each step is done once, even if this method fails and is called again. */
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

    /**
     * Starts to wait for other holders. Called after the release, because until then this process is itself a holder.
     */
    private void awaitHolders() {
        try {
            exported.whenGone(holdersGone);
        } catch (IllegalStateException e) {
            LOG.debug("the callback is already registered; a later step failed in the first attempt", e);
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

    /** Logs a throwable that a heap's code must not throw. Never throws itself. */
    void report(String what, Throwable thrown) {
        try {
            LOG.error("{}: {}", this, what, thrown);
        } catch (Throwable e) {
            // The logger or the throwable's own methods failed; this failure cannot be logged either.
        }
    }

    BufferServices services() {
        return services;
    }

    BrokerEvents events() {
        return services.events();
    }

    /** {@return the queue for mappings and references that become unreachable} */
    ReferenceQueue<Object> lost() {
        return services.lost();
    }

    /** {@return the heap's buffer; valid only while the caller has a hold} */
    HeapBuffer memory() {
        return memory;
    }

    /** {@return where it was allocated, innermost call first; empty when sites are not recorded} */
    List<StackTraceElement> site() {
        return charge.site();
    }

    OptionalLong inode() {
        return export != ExportMode.NONE
                ? OptionalLong.of(services.descriptors().inode(heap.name(), descriptor()))
                : OptionalLong.empty();
    }

    /** {@return the heap's rule for the peers that may receive a descriptor} */
    Optional<PeerRule> peers() {
        return heap.peers();
    }

    /** {@return whether an exported descriptor permits writing} */
    boolean exportsWritable() {
        return export == ExportMode.READ_WRITE;
    }

    /**
     * Exports a descriptor.
     *
     * @param owner receives the descriptor
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
        ExportedFile known = file;
        if (known == null) {
            known = new ExportedFile(
                    services.descriptors().inode(heap.name(), descriptor),
                    services.descriptors().fileSystem(descriptor));
        }
        synchronized (this) {
            if (exported == null && services.holders().isPresent()) { // before the first descriptor leaves
                holdersGone = charge::end;
                exported = services.holders().get().watch(heap.name(), size, descriptor);
            }
        }
        services.descriptors().duplicate(heap.name(), descriptor, owner);
        file = known;
    }

    /** {@return a fence for {@link #open(DeviceFence, Access)}, which the caller closes} */
    DeviceFence newFence() {
        return services.fences().fence(heap.name(), text());
    }

    /**
     * Opens a fence of the devices that use the memory now. It stays without fences if a device cannot have the
     * memory, because this process made it and no descriptor has left the broker.
     *
     * @param access the direction that is to follow
     */
    void open(DeviceFence fence, Access access) {
        if (file != null || heap.name().equals(HeapDescription.ADOPTED)) {
            fence.open(descriptor(), access);
        }
    }

    /** Adds to the count of CPU accesses: 1 for a begin, -1 for an end. */
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

    /**
     * {@return the exception for a throwable that a heap's code must not throw; the state of the buffer is unchanged}
     */
    HeapException failed(String call, Throwable thrown) {
        report("the heap failed in " + call + "; report that to its vendor", thrown);
        return HeapException.of(
                Errno.EIO,
                heap.name(),
                text() + ": the heap's code failed in " + call + " with " + ThrownText.text(thrown)
                        + "; report that to its vendor",
                thrown);
    }

    @Override
    public Optional<ExportedFile> file() {
        return Optional.ofNullable(file);
    }

    @Override
    public Uses uses() {
        int mapped = Math.max(0, mappings);
        int begun = Math.max(0, cpuAccesses);
        return new Uses(Math.max(0, holds - mapped - begun), mapped, begun);
    }

    /** {@return the buffer as messages name it after the heap's name} */
    String text() {
        return "buffer " + name.map(text -> "'" + Printable.of(text) + "' ").orElse("") + "of " + Bytes.text(size);
    }

    @Override
    public String toString() {
        return text() + " from heap '" + heap.name() + "'";
    }
}
