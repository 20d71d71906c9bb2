// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * A buffer in the hands of a case, which calls it as a broker does: each mapping is unmapped once, then the buffer is
 * released once, also when the case fails.
 */
final class HeldBuffer implements AutoCloseable {
    private final HeapBuffer buffer;
    private final HeapRequest request;
    private final List<MemorySegment> mappings = new ArrayList<>();
    private boolean released;

    HeldBuffer(HeapBuffer buffer, HeapRequest request) {
        this.buffer = buffer;
        this.request = request;
    }

    long size() {
        return buffer.size();
    }

    int descriptor() {
        return buffer.descriptor();
    }

    /** The descriptor as a path, which another process of this user could open too. */
    Path descriptorPath() {
        return Path.of("/proc/self/fd/" + descriptor());
    }

    /** What a peer gets. */
    OwnedFd duplicate() {
        return new Descriptors(Syscalls.linux()).duplicate("", descriptor());
    }

    /** A peer's mapping, by a descriptor of its own. */
    MemorySegment mapAsPeer(Access access, Arena arena) {
        try (OwnedFd peer = duplicate()) {
            return new Mappings(Syscalls.linux()).map(peer, size(), access, arena);
        }
    }

    MemorySegment map(Access access) {
        MemorySegment mapping = buffer.map(access);
        mappings.add(mapping);
        if (mapping.byteSize() != buffer.size()) {
            throw new AssertionError(request + " has " + buffer.size() + " bytes, and a mapping of it "
                    + mapping.byteSize());
        }
        return mapping;
    }

    void unmap(MemorySegment mapping) {
        // One of them: a heap may hand out one mapping several times, and counts its unmaps.
        mappings.remove(mapping);
        buffer.unmap(mapping);
    }

    void begin(Access access) {
        buffer.beginCpuAccess(access);
    }

    void end(Access access) {
        buffer.endCpuAccess(access);
    }

    /** Writes every byte, as a client does: mapped and in a bracket. */
    void fill(int value) {
        MemorySegment mapping = map(Access.READ_WRITE);
        begin(Access.WRITE);
        mapping.fill((byte) value);
        end(Access.WRITE);
        unmap(mapping);
    }

    /** Reads every byte, as a client does: mapped and in a bracket. */
    void assertFilledWith(int value) {
        MemorySegment mapping = map(Access.READ);
        begin(Access.READ);
        Content.assertFilledWith(value, mapping, request);
        end(Access.READ);
        unmap(mapping);
    }

    @Override
    public void close() {
        if (!released) {
            released = true;
            mappings.forEach(buffer::unmap);
            buffer.release();
        }
    }

    @Override
    public String toString() {
        return "the buffer for " + request;
    }
}
