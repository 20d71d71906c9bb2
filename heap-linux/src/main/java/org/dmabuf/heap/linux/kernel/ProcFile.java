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
 * Reader of small files of the kernel. An absent file and a process that has no descriptor left are different answers:
 * a limit that could not be read is still a limit.
 *
 * <p>It makes the system calls itself: Java's own readers lose the descriptor when they find no memory for the object
 * around it, and a gateway that is short of memory reads these files most often.
 */
public final class ProcFile {
    private static final String PROBE = "/proc/self/stat";
    /** Guarded by the class. */
    private static final MemorySegment BLOCK = Arena.global().allocate(16 << 10);

    private ProcFile() {}

    /**
     * Reads a file. Each byte becomes one character.
     *
     * @return its content; empty when there is no such file, or none that this process may read
     * @throws HeapException the kernel's refusal of a descriptor, with the remedy
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
                return Optional.empty(); // a cgroup that was removed, or a path that is no file
            }
        }
    }

    /** A path that is longer than a thread's block takes, as of cgroups that lie deep. */
    private static Optional<String> readLong(Path file) {
        try {
            return Optional.of(Files.readString(file, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            requireDescriptors(file);
            return Optional.empty();
        }
    }

    /** The exception of Java's own readers has no error number: an open shows whether descriptors are used up. */
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
