// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.BiFunction;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.OwnedFd;

/** A client's reference to a buffer. */
class Lease extends Holding implements DmaBuf {
    private static final VarHandle CLOSED;

    static {
        try {
            CLOSED = MethodHandles.lookup().findVarHandle(Lease.class, "closed", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Client client;
    private final Buffer buffer;
    private volatile boolean closed;

    /**
     * Takes over one hold of the buffer.
     *
     * @param client who holds it
     * @param buffer held once for this lease
     */
    Lease(Client client, Buffer buffer) {
        this.client = client;
        this.buffer = buffer;
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
        requireOpen();
        MemorySegment segment = buffer.map(access, arena);
        if (segment == null) {
            throw closed();
        }
        return segment;
    }

    @Override
    public CpuAccess beginCpuAccess(Access access) {
        hold();
        boolean begun = false;
        try {
            buffer.beginCpuAccess(access);
            begun = true;
        } finally {
            if (!begun) {
                buffer.drop();
            }
        }
        return client.keep(new Bracket(client, buffer, access));
    }

    @Override
    public OwnedFd exportFd() {
        hold();
        try {
            return client.keep(new ExportedFd(client, buffer.exportFd(), buffer.heapProperties()));
        } finally {
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
        return lease.apply(other, buffer);
    }

    @Override
    public void close() {
        if (end()) {
            buffer.drop();
        }
    }

    @Override
    final void reclaim() {
        if (end()) {
            buffer.dropTakenBack();
        }
    }

    private boolean end() {
        boolean first = !(boolean) CLOSED.getAndSet(this, true);
        if (first) {
            client.forget(this);
        }
        return first;
    }

    /** Holds the memory for the time of a call: another thread may close this lease meanwhile. */
    private void hold() {
        requireOpen();
        if (!buffer.hold()) {
            throw closed();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw closed();
        }
    }

    private IllegalStateException closed() {
        return new IllegalStateException("this reference to a " + buffer + " is closed");
    }

    @Override
    public String toString() {
        return (closed ? "closed reference to a " : "") + buffer;
    }
}
