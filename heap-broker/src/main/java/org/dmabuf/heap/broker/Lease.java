// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

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

/**
 * A client's reference to a buffer. Each method keeps it reachable to its end: a reference that is used for the last
 * time is not lost yet.
 */
class Lease implements DmaBuf {
    private final Client client;
    private final Buffer buffer;
    private final Claim claim;

    /**
     * Takes over one hold of the buffer.
     *
     * @param client who holds it
     * @param buffer held once for this lease
     */
    Lease(Client client, Buffer buffer) {
        this.client = client;
        this.buffer = buffer;
        this.claim = new Claim(this, client, buffer);
    }

    Claim claim() {
        return claim;
    }

    @Override
    public long size() {
        return buffer.size();
    }

    @Override
    public String heapName() {
        return buffer.heapName();
    }

    @Override
    public Map<String, Object> heapProperties() {
        return buffer.heapProperties();
    }

    @Override
    public String name() {
        return buffer.name();
    }

    @Override
    public OptionalLong inode() {
        hold();
        try {
            return buffer.inode();
        } finally {
            buffer.drop();
        }
    }

    @Override
    public MemorySegment map(Access access, Arena arena) {
        Objects.requireNonNull(access);
        StackProbe.require();
        try {
            requireOpen();
            MemorySegment segment = buffer.map(access, arena);
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
        Bracket bracket = new Bracket(client, buffer, access); // first: what is begun must not lack what ends it
        hold();
        boolean begun = false;
        boolean kept = false;
        try {
            buffer.beginCpuAccess(access);
            begun = true;
            client.keep(bracket);
            kept = true;
            return bracket;
        } finally {
            if (!begun) {
                buffer.drop();
            } else if (!kept) {
                bracket.reclaim();
            }
        }
    }

    @Override
    public OwnedFd exportFd() {
        ExportedFd exported = new ExportedFd(client, buffer); // first: it takes what may fail no more
        hold();
        boolean kept = false;
        try {
            exported.own(buffer.exportFd());
            client.keep(exported);
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
        return duplicateFor(client, Lease::new);
    }

    /**
     * Makes another reference, for this client or another.
     *
     * @param other who will hold it
     * @param lease makes one that takes over a hold
     * @return the reference
     */
    <L extends Lease> L duplicateFor(Client other, BiFunction<Client, Buffer, L> lease) {
        return other.keep(anotherFor(other, lease));
    }

    /** As {@link #duplicateFor}, and for the caller to end: its client does not know of it. */
    <L extends Lease> L anotherFor(Client other, BiFunction<Client, Buffer, L> lease) {
        hold();
        L made = null;
        try {
            made = lease.apply(other, buffer);
        } finally {
            if (made == null) {
                buffer.drop();
            }
        }
        return made;
    }

    @Override
    public void close() {
        end();
    }

    /** Ends it, also where {@link #close()} does not. */
    final void end() {
        claim.end();
        Reference.reachabilityFence(this);
    }

    final Reaper reclaim() {
        return claim.reclaim();
    }

    /** Holds the memory for the time of a call: another thread may close this lease meanwhile. */
    private void hold() {
        StackProbe.require();
        requireOpen();
        if (!buffer.hold()) {
            throw closed();
        }
        Reference.reachabilityFence(this);
    }

    private void requireOpen() {
        if (claim.ended) {
            throw closed();
        }
    }

    private IllegalStateException closed() {
        return new IllegalStateException("this reference to a " + buffer + " is closed");
    }

    @Override
    public String toString() {
        return (claim.ended ? "closed reference to a " : "") + buffer;
    }
}
