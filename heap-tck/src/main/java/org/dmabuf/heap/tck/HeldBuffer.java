// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Buffer that a case holds and calls as a broker does. Each mapping is unmapped once, then the buffer is released once,
 * even if the case fails.
 */
final class HeldBuffer implements AutoCloseable {
    private final HeapBuffer buffer;
    private final HeapRequest request;
    private final List<MemorySegment> mappings = new CopyOnWriteArrayList<>(); // several threads may map
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

    /** Returns a path to the descriptor's file. Another process of this user could open it too. */
    Path descriptorPath() {
        return Path.of("/proc/self/fd/" + descriptor());
    }

    /** Returns a line of the kernel's information on the descriptor, without its name. */
    Optional<String> descriptorInfo(String name) throws IOException {
        Path info = Path.of("/proc/self/fdinfo/" + descriptor());
        return Files.readAllLines(info, StandardCharsets.ISO_8859_1).stream()
                .filter(line -> line.startsWith(name + ":"))
                .map(line -> line.substring(name.length() + 1).strip())
                .findFirst();
    }

    /** Returns a duplicate of the descriptor, as a peer would receive it. */
    OwnedFd duplicate() {
        return new Descriptors(Syscalls.linux()).duplicate("", descriptor());
    }

    /** Maps the buffer as a peer does, through a descriptor of its own. */
    MemorySegment mapAsPeer(Access access, Arena arena) {
        try (OwnedFd peer = duplicate()) {
            return new Mappings(Syscalls.linux()).map(peer, size(), access, arena);
        }
    }

    MemorySegment map(Access access) {
        MemorySegment mapping = buffer.map(access);
        if (mapping == null) {
            throw new AssertionError("map(" + access + ") of " + this + " returned null");
        }
        mappings.add(mapping);
        return mapping;
    }

    void unmap(MemorySegment mapping) {
        // Removes only one entry: a heap may return the same mapping several times and count its unmaps.
        mappings.remove(mapping);
        buffer.unmap(mapping);
    }

    void begin(Access access) {
        buffer.beginCpuAccess(access);
    }

    void end(Access access) {
        buffer.endCpuAccess(access);
    }

    /** Writes every byte, as a client does: through a mapping, during a CPU access. */
    void fill(int value) {
        MemorySegment mapping = map(Access.READ_WRITE);
        begin(Access.WRITE);
        mapping.fill((byte) value);
        end(Access.WRITE);
        unmap(mapping);
    }

    /** Reads every byte, as a client does: through a mapping, during a CPU access. */
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
