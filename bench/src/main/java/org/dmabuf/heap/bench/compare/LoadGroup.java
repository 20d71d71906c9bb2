// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/** Loading of a file into a buffer, through the page cache and without it. */
final class LoadGroup implements Group {
    private static final long SIZE = 256 * Sizes.MIB;
    private static final int O_RDONLY = 0;
    private static final int O_RDWR = 2;
    private static final int O_DIRECT = 0x4000; // on x86-64
    private static final int O_CLOEXEC = 0x80000;
    private static final String BUFFERED = "buffered";
    private static final String DIRECT = "O_DIRECT";

    private final Syscalls syscalls = Syscalls.linux();
    private final Path folder;

    /** Makes a group that writes its file to a folder of a disk. */
    LoadGroup(Path folder) {
        this.folder = folder;
    }

    @Override
    public String name() {
        return "load";
    }

    @Override
    public String note() {
        return """
                A file of 256 MiB is read into a mapped buffer. Before each turn the file is removed from the page cache
                by posix_fadvise(2). The cache of a virtual machine's host still has it.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) throws IOException {
        Files.createDirectories(folder);
        Path file = Files.createTempFile(folder, "load", null);
        HeapBuffer buffer = MemfdSource.open("memfd").allocate(HeapRequest.of(SIZE));
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        try (FileChannel written = FileChannel.open(file, StandardOpenOption.WRITE)) {
            Twin.fill(mapping);
            write(written, mapping.asByteBuffer());
            return List.of(rounds.run(
                    name(),
                    Sizes.name(SIZE),
                    List.of(
                            Contender.ofBatch(BUFFERED, 1, () -> read(file, mapping, 0))
                                    .preparedBy(() -> forget(file)),
                            Contender.ofBatch(DIRECT, 1, () -> read(file, mapping, O_DIRECT))
                                    .preparedBy(() -> forget(file))),
                    rounds.effort().fewest()));
        } finally {
            buffer.unmap(mapping);
            buffer.release();
            Files.delete(file);
        }
    }

    @Override
    public String conclusion(List<Row> rows) {
        Row row = rows.getFirst();
        return String.format(
                Locale.ROOT,
                "Buffered reading takes %.2f times as long as O_DIRECT.",
                Row.medianOf(
                        row.series(BUFFERED).orElseThrow(),
                        row.series(DIRECT).orElseThrow(),
                        (buffered, direct) -> buffered / direct));
    }

    private static void write(FileChannel file, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            file.write(bytes);
        }
    }

    private void read(Path path, MemorySegment into, int flags) {
        try (OwnedFd file = open(path, O_RDONLY | flags)) {
            for (long done = 0; done < into.byteSize(); ) {
                long read = syscalls.read(file.fd(), into.address() + done, into.byteSize() - done);
                if (read <= 0) {
                    throw new AssertionError("read failed with error " + -read + " at " + done);
                }
                done += read;
            }
        }
    }

    private void forget(Path path) {
        try (OwnedFd file = open(path, O_RDWR)) {
            Twin.forget(file.fd());
        }
    }

    private OwnedFd open(Path path, int flags) {
        int fd = syscalls.open(path.toString(), flags | O_CLOEXEC);
        if (fd < 0) {
            throw new AssertionError("open failed with error " + -fd);
        }
        return OwnedFd.of(fd, syscalls::close);
    }
}
