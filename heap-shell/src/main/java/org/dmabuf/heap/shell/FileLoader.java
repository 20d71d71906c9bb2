// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.function.LongConsumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Loader of a file into a buffer, which also reads the buffer back through a mapping and through its descriptor. */
final class FileLoader {
    /** Size of the staging buffer: the kernel may not read from a file directly into a mapped dma-buf. */
    private static final int PIECE = 1 << 20;

    private final HeapBroker broker;

    FileLoader(HeapBroker broker) {
        this.broker = broker;
    }

    /** {@return the length in bytes of a file that can be loaded} */
    static long sizeOf(Path file) throws IOException {
        BasicFileAttributes attributes = attributesOf(file);
        if (!attributes.isRegularFile()) {
            throw new IOException(file + " is not a regular file");
        }
        if (!Files.isReadable(file)) {
            throw new IOException("this user is not permitted to read " + file);
        }
        if (attributes.size() == 0) {
            throw new IOException(
                    file + " has 0 bytes; a buffer needs at least 1 byte; copy a file of /proc elsewhere first");
        }
        return attributes.size();
    }

    private static BasicFileAttributes attributesOf(Path file) throws IOException {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class);
        } catch (NoSuchFileException e) {
            throw new IOException("file " + file + " does not exist", e);
        } catch (AccessDeniedException e) {
            throw new IOException("this user is not permitted to search the folder of " + file, e);
        }
    }

    /**
     * Loads a file into a new buffer.
     *
     * @param file a regular file of at least one byte
     * @param request request for the file's size
     * @param loaded called repeatedly with the number of bytes that are loaded so far
     * @return an open buffer that the caller closes
     * @throws IOException also when the thread was interrupted
     */
    DmaBuf load(Path file, AllocationRequest request, LongConsumer loaded) throws IOException {
        DmaBuf buffer = broker.allocate(request);
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(file);
                CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
            copy(channel, buffer.map(Access.READ_WRITE, arena).asSlice(0, request.size()), file, loaded);
        } catch (Throwable e) { // also if the end of the CPU access fails
            buffer.close();
            throw e;
        }
        return buffer;
    }

    /** {@return SHA-256 of the first bytes, read through a mapping of the buffer} */
    static String sha256ByMapping(DmaBuf buffer, long bytes) throws InterruptedException {
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
            return Sha256.of(buffer.map(Access.READ, arena).asSlice(0, bytes));
        }
    }

    /** {@return SHA-256 of the first bytes, read through a mapping of an exported descriptor, as in another process} */
    static String sha256ByDescriptor(DmaBuf buffer, long bytes) throws InterruptedException {
        try (OwnedFd descriptor = buffer.exportFd();
                Arena arena = Arena.ofConfined();
                CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
            MemorySegment mapping = new Mappings(Syscalls.linux()).map(descriptor, buffer.size(), Access.READ, arena);
            return Sha256.of(mapping.asSlice(0, bytes));
        }
    }

    private static void copy(FileChannel from, MemorySegment to, Path file, LongConsumer copied) throws IOException {
        ByteBuffer piece = ByteBuffer.allocate((int) Math.min(PIECE, to.byteSize()));
        for (long offset = 0; offset < to.byteSize(); ) {
            piece.clear().limit((int) Math.min(piece.capacity(), to.byteSize() - offset));
            int read = from.read(piece);
            if (read < 0) {
                throw new EOFException(file + " was truncated while it was read: " + offset + " of "
                        + Facts.count(to.byteSize(), "byte"));
            }
            MemorySegment.copy(MemorySegment.ofArray(piece.array()), 0, to, offset, read);
            offset += read;
            copied.accept(offset);
        }
    }
}
