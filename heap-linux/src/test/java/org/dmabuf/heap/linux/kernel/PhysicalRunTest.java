// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.LongUnaryOperator;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.PhysicalRun.Result;
import org.dmabuf.heap.linux.source.UdmabufKernel;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the check with memory of the running kernel, and with made-up frame numbers. */
class PhysicalRunTest {
    private static final String HEAP = "contig";
    private static final long PRESENT = 1L << 63;
    private static final int PAGES = (int) (PhysicalRun.BYTES / Bytes.PAGE);

    @TempDir
    private Path folder;

    private final Syscalls linux = Syscalls.linux();
    private final UdmabufKernel kernel = new UdmabufKernel();
    private final Mmap mmap = new Mmap(linux);
    private int memfd = -1;
    private MemorySegment mapping;

    @BeforeEach
    void the_kernel_has_large_folios() {
        assumeTrue(MadeUpFolios.exist(), "skipped: this kernel has no large folios for shareable memory");
    }

    @AfterEach
    void close() {
        if (memfd >= 0) {
            mmap.unmap(mapping);
            linux.close(memfd);
        }
    }

    private void mapOneFolio() {
        map(new Memfd(linux)
                .create(HEAP, HEAP, PhysicalRun.BYTES, 0, MadeUpFolios.timeless(linux))
                .fd());
    }

    private void map(int made) {
        memfd = made;
        mapping = mmap.mapToKeep(HEAP, memfd, PhysicalRun.BYTES);
    }

    @Test
    void a_large_folio_is_one_run_and_a_part_of_it_that_was_replaced_ends_that() {
        mapOneFolio();
        PhysicalRun check = new PhysicalRun(linux);
        assertEquals(Result.ONE, check.check(HEAP, mapping));
        assertEquals(0, new Memfd(linux).punch(memfd, Bytes.PAGE, Bytes.PAGE));
        mapping.fill((byte) 1);
        assertEquals(Result.SEVERAL, check.check(HEAP, mapping));
    }

    @Test
    void small_pages_are_not_one_run() {
        map(new Memfd(linux).create(HEAP, HEAP, PhysicalRun.BYTES, 0));
        assertEquals(Result.SEVERAL, new PhysicalRun(linux).check(HEAP, mapping));
    }

    @Test
    void an_older_kernel_shows_frames_to_a_privileged_process() throws IOException {
        map(new Memfd(linux).create(HEAP, HEAP, PhysicalRun.BYTES, 0));
        kernel.fail("ioctl", Errno.ENOTTY);
        assertEquals(Result.ONE, withFrames(page -> PRESENT | 0x1000 + page));
        assertEquals(Result.SEVERAL, withFrames(page -> PRESENT | 0x1000 + page + page / (PAGES - 1)));
        assertEquals(Result.HIDDEN, withFrames(_ -> PRESENT));
        assertEquals(Result.HIDDEN, new PhysicalRun(kernel.syscalls, folder.resolve("absent")).check(HEAP, mapping));
    }

    private Result withFrames(LongUnaryOperator entries) throws IOException {
        ByteBuffer frames = ByteBuffer.allocate(PAGES * Long.BYTES).order(ByteOrder.nativeOrder());
        for (int page = 0; page < PAGES; page++) {
            frames.putLong(entries.applyAsLong(page));
        }
        Path file = folder.resolve("pagemap");
        try (FileChannel sparse = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            sparse.write(frames.flip(), mapping.address() / Bytes.PAGE * Long.BYTES);
        }
        return new PhysicalRun(kernel.syscalls, file).check(HEAP, mapping);
    }

    @Test
    void a_lack_of_descriptors_is_reported() {
        map(new Memfd(linux).create(HEAP, HEAP, PhysicalRun.BYTES, 0));
        kernel.fail("open", Errno.EMFILE);
        HeapException refusal =
                assertThrows(HeapException.class, () -> new PhysicalRun(kernel.syscalls).check(HEAP, mapping));
        assertEquals(Errno.EMFILE, refusal.errno());
    }
}
