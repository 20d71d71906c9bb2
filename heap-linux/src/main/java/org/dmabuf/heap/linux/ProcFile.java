// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * One read of a small file of the kernel. A file that is absent and a process that has no descriptor left are different
 * answers: a limit that could not be read is still a limit.
 */
final class ProcFile {
    private static final String PROBE = "/proc/self/stat";
    private static final int ATTEMPTS = 2;

    private ProcFile() {}

    /**
     * Reads a file. Each byte becomes one character.
     *
     * @return its content; empty when there is no such file, or none that this process may read
     * @throws HeapException the kernel's refusal of a descriptor, with the remedy
     */
    static Optional<String> read(Path file) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            try {
                return Optional.of(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1));
            } catch (NoSuchFileException | AccessDeniedException e) {
                return Optional.empty();
            } catch (IOException e) {
                requireDescriptors(file);
            }
        }
        return Optional.empty(); // a cgroup that was removed, or a path that is no file
    }

    /** The exception of a failed read has no error number: a second open tells whether descriptors are used up. */
    static void requireDescriptors(Path wanted) {
        int fd = Syscalls.linux().open(PROBE, Memfd.O_RDONLY | Memfd.O_CLOEXEC);
        if (fd >= 0) {
            Syscalls.linux().close(fd);
        } else if (Errno.of(-fd).isOfTheMoment()) {
            throw Refusal.of("", "open(" + wanted + ")", fd);
        }
    }
}
