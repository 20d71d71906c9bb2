// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.random.RandomGenerator;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Writer of memory into a file, all or nothing: it writes a temporary file and then renames it.
 */
final class FileSaver {
    /** Size of the staging buffer: the kernel may not write to a file directly from a mapped dma-buf. */
    private static final int PIECE = 1 << 20;

    /** Opens a new file for writing. */
    @FunctionalInterface
    interface Opener {
        FileChannel open(Path file) throws IOException;
    }

    private final Opener opener;

    FileSaver() {
        this(file -> FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
    }

    FileSaver(Opener opener) {
        this.opener = opener;
    }

    /**
     * Saves memory.
     *
     * @param memory memory that is written in full
     * @param file path in an existing folder; a link is followed
     * @param overwrite whether an existing file is replaced; its mode is kept
     * @throws IOException with a sentence, or if the thread was interrupted; an existing file is then unchanged
     */
    void save(MemorySegment memory, Path file, boolean overwrite) throws IOException {
        if (Files.isSymbolicLink(file) && !Files.exists(file)) {
            throw new IOException(file + " is a dangling link; create its target, or give another name");
        }
        Path target = Files.exists(file) ? file.toRealPath() : file;
        boolean exists = Files.exists(target);
        if (exists && !Files.isRegularFile(target)) {
            throw new IOException(file + " is not a regular file");
        }
        if (exists && !overwrite) {
            throw inTheWay(file);
        }
        Path part = target.resolveSibling(
                ".dmaheap-" + Long.toHexString(RandomGenerator.getDefault().nextLong()) + ".part");
        boolean made = false;
        try (FileChannel channel = opener.open(part)) {
            made = true;
            if (exists) {
                Files.setPosixFilePermissions(part, Files.getPosixFilePermissions(target));
            }
            write(memory, channel);
            channel.force(true); // a full disk may be reported only here
            if (overwrite) {
                Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
            } else {
                Files.move(part, target);
            }
            made = false;
        } catch (ClosedByInterruptException e) {
            throw e;
        } catch (FileAlreadyExistsException e) {
            throw inTheWay(file);
        } catch (AccessDeniedException e) {
            throw new IOException("this user is not permitted to create a file in the folder of " + file, e);
        } catch (IOException e) {
            if (e instanceof NoSuchFileException && !Files.isDirectory(file.getParent())) {
                throw new IOException("folder " + file.getParent() + " does not exist", e);
            }
            throw new IOException(
                    "writing " + Bytes.text(memory.byteSize()) + " to " + file + " failed: " + reason(e)
                            + "; free space there, or give another folder",
                    e);
        } finally {
            if (made) {
                Files.deleteIfExists(part);
            }
        }
    }

    private static IOException inTheWay(Path file) {
        return new IOException("file " + file + " exists; replace it with --force, or give another name");
    }

    private static String reason(IOException e) {
        return e instanceof FileSystemException refused && refused.getReason() != null
                ? refused.getReason()
                : String.valueOf(e.getMessage());
    }

    private static void write(MemorySegment memory, FileChannel channel) throws IOException {
        ByteBuffer piece = ByteBuffer.allocate((int) Math.min(PIECE, memory.byteSize()));
        for (long offset = 0; offset < memory.byteSize(); offset += piece.limit()) {
            piece.clear().limit((int) Math.min(piece.capacity(), memory.byteSize() - offset));
            MemorySegment.copy(memory, offset, MemorySegment.ofArray(piece.array()), 0, piece.limit());
            while (piece.hasRemaining()) {
                channel.write(piece);
            }
        }
    }
}
