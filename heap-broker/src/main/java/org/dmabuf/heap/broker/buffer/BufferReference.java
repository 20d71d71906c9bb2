// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.fence.DeviceFence;

/**
 * Client's reference to a buffer. Each method keeps the reference reachable until it returns, so that a reference is
 * not reported as lost during its last call.
 */
public final class BufferReference implements DmaBuf {
    final ReferenceTracker tracker;
    private final Access granted;

    /**
     * Takes over one hold on the buffer.
     *
     * @param client the client that has the reference
     * @param buffer the buffer, with one hold for this reference
     * @param granted the access that the reference permits: READ or READ_WRITE
     */
    private BufferReference(Client client, SharedBuffer buffer, Access granted) {
        this.granted = granted;
        tracker = new ReferenceTracker(this, client, buffer);
    }

    /**
     * Creates a client's reference, which takes over one hold on a buffer. If that fails for any reason, the hold is
     * dropped.
     *
     * @return the reference, registered with its client
     */
    public static BufferReference open(Client client, SharedBuffer buffer) {
        BufferReference reference = null;
        try {
            reference = new BufferReference(client, buffer, Access.READ_WRITE);
        } finally {
            if (reference == null) {
                buffer.drop();
            }
        }
        return kept(reference);
    }

    /**
     * Creates a client's references, which take over one hold on each buffer. Either all are created or none.
     *
     * @param buffers the buffers; the call clears the array
     * @param all receives the references, which are registered with their client
     * @return the first reference
     */
    public static BufferReference openAll(Client client, SharedBuffer[] buffers, BufferReference[] all) {
        int opened = 0;
        boolean complete = false;
        try {
            for (; opened < buffers.length; opened++) {
                SharedBuffer buffer = buffers[opened];
                buffers[opened] = null; // open drops its hold when it fails
                all[opened] = open(client, buffer);
            }
            complete = true;
            return all[0];
        } finally {
            if (!complete) {
                dropAll(buffers);
                for (int i = 0; i < opened; i++) {
                    all[i].close();
                }
            }
        }
    }

    /**
     * Returns references as a list. If the list cannot be made for lack of Java memory, all of them are closed.
     *
     * @param references the references
     * @return the list
     */
    public static List<DmaBuf> listed(BufferReference[] references) {
        List<DmaBuf> all = null;
        try {
            all = List.of(references);
        } finally {
            if (all == null) {
                for (BufferReference reference : references) {
                    reference.close();
                }
            }
        }
        return all;
    }

    /** Drops one hold on each buffer in the array, and clears the array. */
    public static void dropAll(SharedBuffer[] buffers) {
        for (int i = 0; i < buffers.length; i++) {
            SharedBuffer buffer = buffers[i];
            if (buffer != null) {
                buffers[i] = null;
                buffer.drop();
            }
        }
    }

    /** Registers a reference with its client, and ends the reference if that fails. {@return the reference} */
    private static BufferReference kept(BufferReference reference) {
        boolean kept = false;
        try {
            ReferenceTracker tracker = reference.tracker;
            tracker.client.keep(tracker);
            kept = true;
        } finally {
            if (!kept) {
                reference.close();
            }
        }
        return reference;
    }

    @Override
    public long size() {
        return tracker.buffer.size();
    }

    @Override
    public String heapName() {
        return tracker.buffer.heapName();
    }

    @Override
    public Map<String, Object> heapProperties() {
        return tracker.buffer.heapProperties();
    }

    @Override
    public Optional<String> name() {
        return tracker.buffer.name();
    }

    @Override
    public OptionalLong inode() {
        hold();
        try {
            return tracker.buffer.inode();
        } finally {
            tracker.buffer.drop();
        }
    }

    @Override
    public MemorySegment map(Access access, Arena arena) {
        Objects.requireNonNull(access, "invalid access = null: expected an Access");
        Objects.requireNonNull(arena, "invalid arena = null: expected an Arena");
        StackProbe.require();
        try {
            requireOpen();
            requireGranted(access, "mapped for writing");
            MemorySegment segment = BufferMapping.map(tracker.buffer, access, arena);
            if (segment == null) {
                throw closed();
            }
            return segment;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    @Override
    public CpuAccess beginCpuAccess(Access access) {
        Objects.requireNonNull(access, "invalid access = null: expected an Access");
        requireGranted(access, "accessed for writing");
        SharedBuffer buffer = tracker.buffer;
        OpenCpuAccess cpuAccess =
                new OpenCpuAccess(tracker.client, buffer, access); // first: after begin nothing may fail
        hold();
        boolean begun = false;
        boolean kept = false;
        try {
            cpuAccess.begin();
            begun = true;
            tracker.client.keep(cpuAccess);
            kept = true;
            return cpuAccess;
        } finally {
            if (!begun) {
                buffer.drop();
            } else if (!kept) {
                cpuAccess.reclaim();
            }
        }
    }

    @Override
    public void awaitDevices(Access access, Duration timeout) {
        Objects.requireNonNull(access, "invalid access = null: expected an Access");
        Objects.requireNonNull(timeout, "invalid timeout = null: expected a duration");
        if (timeout.isNegative()) {
            throw new IllegalArgumentException("invalid timeout = " + timeout + ": expected zero or more");
        }
        requireGranted(access, "awaited for writing");
        SharedBuffer buffer = tracker.buffer;
        try (DeviceFence fence = buffer.newFence()) { // first: owning its descriptor must not fail
            hold();
            try {
                buffer.open(fence, access);
            } finally {
                buffer.drop();
            }
            fence.await(TimeUnit.NANOSECONDS.convert(timeout));
        }
    }

    @Override
    public OwnedFd exportFd() {
        SharedBuffer buffer = tracker.buffer;
        if (buffer.exportsWritable()) {
            requireGranted(Access.READ_WRITE, "exported, because its descriptor would permit writing");
        }
        ExportedFd exported = new ExportedFd(tracker.client, buffer); // first: owning the descriptor must not fail
        hold();
        boolean kept = false;
        try {
            buffer.exportFd(exported.descriptor());
            tracker.client.keep(exported);
            kept = true;
            return exported.descriptor();
        } finally {
            if (!kept) {
                exported.end();
            }
            buffer.drop();
        }
    }

    @Override
    public DmaBuf newReference() {
        return referenceFor(tracker.client, granted);
    }

    /**
     * Opens another reference, for this client or another.
     *
     * @param other the client that receives the reference
     * @param access the access that it permits
     * @return the reference, registered with its client
     */
    public BufferReference referenceFor(Client other, Access access) {
        return kept(anotherFor(other, access));
    }

    /**
     * Opens a reference as {@link #referenceFor} does, but does not register it with its client. The caller must end
     * it.
     */
    public BufferReference anotherFor(Client other, Access access) {
        hold();
        BufferReference made = null;
        try {
            made = new BufferReference(other, tracker.buffer, access);
        } finally {
            if (made == null) {
                tracker.buffer.drop();
            }
        }
        return made;
    }

    /** {@return the access that the reference permits} */
    public Access granted() {
        return granted;
    }

    private void requireGranted(Access access, String what) {
        if (access.writes() && !granted.writes()) {
            requireOpen(); // report a closed reference as closed
            throw HeapException.of(
                    Errno.EACCES,
                    heapName(),
                    "a read-only reference to a " + tracker.buffer.text() + " cannot be " + what
                            + "; have its publisher grant READ_WRITE");
        }
    }

    @Override
    public void close() {
        tracker.end();
        Reference.reachabilityFence(this);
    }

    public Reaper reclaim() {
        return tracker.reclaim();
    }

    /** Takes a hold for the duration of a call, because another thread may close this reference meanwhile. */
    private void hold() {
        StackProbe.require();
        requireOpen();
        if (!tracker.buffer.hold()) {
            throw closed();
        }
        Reference.reachabilityFence(this);
    }

    private void requireOpen() {
        if (tracker.ended) {
            throw closed();
        }
    }

    private IllegalStateException closed() {
        return new IllegalStateException("this reference to a " + tracker.buffer + " is closed");
    }

    @Override
    public String toString() {
        return (tracker.ended ? "closed reference to a " : "") + tracker.buffer;
    }
}
