// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Reader of small files of the kernel. It distinguishes an absent file from a lack of descriptors, because a limit that
 * cannot be read still applies.
 *
 * <p>It makes the system calls itself. Java's readers leak the descriptor if they have no memory for the object around
 * it. These files are read most often when memory is short.
 */
public final class ProcFile {
    private static final String PROBE = "/proc/self/stat";
    /** Guarded by the class. */
    private static final MemorySegment BLOCK = Arena.global().allocate(16 << 10);

    private ProcFile() {}

    /**
     * Reads a file. Each byte becomes one character.
     *
     * @return its contents; empty for a file that does not exist or that this process may not read
     * @throws HeapException when no descriptor is left, with the remedy
     */
    public static Optional<String> read(Path file) {
        String path = file.toString();
        Syscalls linux = Syscalls.linux();
        int fd = linux.open(path, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
        if (fd == -Errno.ENAMETOOLONG.number()) {
            return readLong(file);
        }
        if (fd < 0) {
            requirePermanent(file, fd);
            return Optional.empty();
        }
        try {
            return content(file, fd);
        } finally {
            linux.close(fd);
        }
    }

    private static synchronized Optional<String> content(Path file, int fd) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        while (true) {
            long read = Syscalls.linux().read(fd, BLOCK.address(), BLOCK.byteSize());
            if (read == 0) {
                return Optional.of(content.toString(StandardCharsets.ISO_8859_1));
            }
            if (read > 0) {
                content.writeBytes(BLOCK.asSlice(0, read).toArray(ValueLayout.JAVA_BYTE));
            } else if (read != -Errno.EINTR.number()) {
                requirePermanent(file, (int) read);
                return Optional.empty(); // a removed cgroup, or a path that is not a file
            }
        }
    }

    /** Reads a file whose path is too long for a thread's block, as in deeply nested cgroups. */
    private static Optional<String> readLong(Path file) {
        try {
            return Optional.of(Files.readString(file, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            requireDescriptors(file);
            return Optional.empty();
        }
    }

    /**
     * Throws if no descriptor is left. Exceptions of Java's readers have no error number, so this opens a file to find
     * out.
     */
    public static void requireDescriptors(Path wanted) {
        int fd = Syscalls.linux().open(PROBE, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
        if (fd >= 0) {
            Syscalls.linux().close(fd);
        } else {
            requirePermanent(wanted, fd);
        }
    }

    private static void requirePermanent(Path wanted, int result) {
        if (Errno.of(-result).isTransient()) {
            throw KernelError.of("", "open(" + wanted + ")", result);
        }
    }
}
