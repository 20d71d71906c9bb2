// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.BiFunction;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * A client's reference to a buffer. Each method keeps the reference reachable to its end: during its last call a
 * reference is not lost yet.
 */
public class BufferReference implements DmaBuf {
    private final ReferenceTracker tracker;

    /**
     * Takes over one hold of the buffer.
     *
     * @param client the client that has the reference
     * @param buffer held once for this reference
     */
    @SuppressWarnings("this-escape") // the tracker only watches it become unreachable
    public BufferReference(Client client, SharedBuffer buffer) {
        tracker = new ReferenceTracker(this, client, buffer);
    }

    /**
     * Makes a client's reference that takes over one hold of a buffer. The hold is given up when that fails, also for
     * want of memory.
     *
     * @return the reference, which its client keeps
     */
    public static BufferReference open(Client client, SharedBuffer buffer) {
        BufferReference reference = null;
        try {
            reference = new BufferReference(client, buffer);
        } finally {
            if (reference == null) {
                buffer.drop();
            }
        }
        return kept(reference);
    }

    /** {@return the reference, which its client keeps; it is ended when that fails} */
    public static <L extends BufferReference> L kept(L reference) {
        boolean kept = false;
        try {
            ReferenceTracker tracker = reference.tracker();
            tracker.client.keep(tracker);
            kept = true;
        } finally {
            if (!kept) {
                reference.end();
            }
        }
        return reference;
    }

    final ReferenceTracker tracker() {
        return tracker;
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
    public String name() {
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
        Objects.requireNonNull(access);
        StackProbe.require();
        try {
            requireOpen();
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
        Objects.requireNonNull(access);
        SharedBuffer buffer = tracker.buffer;
        OpenCpuAccess cpuAccess =
                new OpenCpuAccess(tracker.client, buffer, access); // first: a begun access must not lack its end
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
    public OwnedFd exportFd() {
        SharedBuffer buffer = tracker.buffer;
        ExportedFd exported = new ExportedFd(tracker.client, buffer); // first: owning the descriptor must not fail
        hold();
        boolean kept = false;
        try {
            exported.own(buffer.exportFd());
            tracker.client.keep(exported);
            kept = true;
            return exported;
        } finally {
            if (!kept) {
                exported.end();
            }
            buffer.drop();
        }
    }

    @Override
    public DmaBuf duplicate() {
        return duplicateFor(tracker.client, BufferReference::new);
    }

    /**
     * Makes another reference, for this client or another.
     *
     * @param other the client that will have it
     * @param reference constructor of a reference that takes over a hold
     * @return the reference
     */
    public <L extends BufferReference> L duplicateFor(Client other, BiFunction<Client, SharedBuffer, L> reference) {
        return kept(anotherFor(other, reference));
    }

    /** Makes a reference as {@link #duplicateFor} does, which the caller must end: its client does not keep it. */
    public <L extends BufferReference> L anotherFor(Client other, BiFunction<Client, SharedBuffer, L> reference) {
        hold();
        L made = null;
        try {
            made = reference.apply(other, tracker.buffer);
        } finally {
            if (made == null) {
                tracker.buffer.drop();
            }
        }
        return made;
    }

    @Override
    public void close() {
        end();
    }

    /** Ends the reference, also where a subclass overrides {@link #close()} to do nothing. */
    public final void end() {
        tracker.end();
        Reference.reachabilityFence(this);
    }

    public final Reaper reclaim() {
        return tracker.reclaim();
    }

    /** Holds the memory for the time of a call: another thread may close this reference meanwhile. */
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
