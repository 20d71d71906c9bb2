// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.dmabuf.heap.Access;

/**
 * Contents of one buffer, in a temporary file. Without native access, only a file can be mapped several times in Java,
 * each time with an arena of its own. A buffer that is never mapped has no file.
 */
final class Contents {
    private final long size;
    /** Null until the first mapping. */
    private FileChannel file;

    Contents(long size) {
        this.size = size;
    }

    /** Maps the bytes, zeroed at first, until the arena ends. */
    synchronized MemorySegment map(Access access, Arena arena) throws IOException {
        boolean interrupted = Thread.interrupted(); // an interrupt would close the channel and lose the bytes
        try {
            if (file == null) {
                file = temporary();
            }
            return file.map(access.writes() ? MapMode.READ_WRITE : MapMode.READ_ONLY, 0, size, arena);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Unix removes the file's name at once, Windows after the last use. */
    private static FileChannel temporary() throws IOException {
        Path path = Files.createTempFile("dmabuf", ".buffer");
        return FileChannel.open(
                path,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                StandardOpenOption.SPARSE,
                StandardOpenOption.DELETE_ON_CLOSE);
    }

    /** Releases the file; mappings stay valid until their arenas end. */
    synchronized void close() {
        if (file != null) {
            try {
                file.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
