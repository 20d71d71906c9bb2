// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of large folios with real dma-bufs, with the kernel's settings, and with fragmented memory. */
class LargeFolioIT {
    private static final Path SETTINGS = Path.of("/sys/kernel/mm/transparent_hugepage");
    private static final long FOLIO = 2 << 20;
    private static final long SIZE = 8 * FOLIO;
    private static final int MOST_BUFFERS = 16;
    private static final int FALLOC_PUNCH_HOLE_KEEP_SIZE = 0x3;
    private static final int O_RDWR = 0x2;
    private static final int MFD_ALLOW_SEALING = 0x2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_SHRINK = 0x2;
    /** ioctl of udmabuf: makes one dma-buf of several ranges. */
    private static final long UDMABUF_CREATE_LIST = 0x40087543L;

    private final Syscalls syscalls = Syscalls.linux();

    enum Source {
        MEMFD,
        UDMABUF,
        REGION;

        MemorySource open(Syscalls syscalls) {
            Headroom headroom = Headroom.machine();
            return switch (this) {
                case MEMFD -> MemfdSource.open("camera", syscalls, headroom);
                case UDMABUF -> UdmabufSource.open("camera", syscalls, headroom);
                case REGION -> RegionSource.open("camera", RegionLayout.of(SIZE, "size"), syscalls, headroom);
            };
        }
    }

    @ParameterizedTest
    @EnumSource
    void buffers_lie_in_large_folios_and_are_zero_and_of_the_exact_size(Source kind) {
        try (MemorySource source = kind.open(syscalls)) {
            HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
            long large = source.usage().inLargeFolios().orElseThrow();
            assertTrue(large >= FOLIO && large <= SIZE && large % FOLIO == 0, large + " bytes");
            int fd = buffer.descriptor();
            assertEquals(SIZE, syscalls.seekEnd(fd));
            MemorySegment mapping = buffer.map(Access.READ_WRITE);
            assertEquals(-1, mapping.mismatch(MemorySegment.ofArray(new byte[(int) SIZE])));
            mapping.fill((byte) 0x5a);
            buffer.unmap(mapping);
            buffer.release();
        }
    }

    @Test
    void shmem_enabled_deny_gives_small_pages_and_later_large_ones_again() throws IOException {
        try (MemfdSource source = MemfdSource.open("camera", syscalls, Headroom.machine());
                MemfdSource later = MemfdSource.open("camera", syscalls, Headroom.machine())) {
            String before = set("shmem_enabled", "deny");
            try {
                HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
                assertEquals(0, source.usage().inLargeFolios().orElseThrow());
                assertEquals(SIZE, syscalls.allocated(buffer.descriptor()));
                buffer.release();
            } finally {
                set("shmem_enabled", before);
            }
            HeapBuffer buffer = later.allocate(HeapRequest.of(SIZE));
            assertTrue(later.usage().inLargeFolios().orElseThrow() > 0);
            buffer.release();
        }
    }

    @Test
    void a_setting_for_64_kib_gives_a_small_buffer_one_folio() throws IOException {
        Path stats = SETTINGS.resolve("hugepages-64kB/stats/shmem_alloc");
        String before = set("hugepages-64kB/shmem_enabled", "advise");
        try (MemfdSource source = MemfdSource.open("camera", syscalls, Headroom.machine())) {
            long already = Long.parseLong(Files.readString(stats).strip());
            HeapBuffer buffer = source.allocate(HeapRequest.of(64 << 10));
            assertEquals(already + 1, Long.parseLong(Files.readString(stats).strip()));
            assertEquals(64 << 10, syscalls.allocated(buffer.descriptor()));
            buffer.release();
        } finally {
            set("hugepages-64kB/shmem_enabled", before);
        }
    }

    /** {@return the word that was set before} */
    private static String set(String file, String word) throws IOException {
        String before = Files.readString(SETTINGS.resolve(file)).replaceAll("(?s).*\\[(.*)].*", "$1");
        Files.writeString(SETTINGS.resolve(file), word);
        return before;
    }

    @Test
    void with_fragmented_memory_a_buffer_is_complete_on_small_pages() throws IOException {
        List<OwnedFd> pinned = fragment();
        List<HeapBuffer> buffers = new ArrayList<>();
        try (MemfdSource source = MemfdSource.open("camera", syscalls, Headroom.machine())) {
            long size = 32 * FOLIO;
            long before = 0;
            long large = size;
            for (int i = 0; i < MOST_BUFFERS && large == size; i++) { // the first ones take what is not fragmented
                HeapBuffer buffer = source.allocate(HeapRequest.of(size).withExport(ExportMode.READ_ONLY));
                buffers.add(buffer);
                large = source.usage().inLargeFolios().orElseThrow() - before;
                before += large;
                assertEquals(size, syscalls.allocated(buffer.descriptor()));
            }
            assertTrue(large < size, buffers.size() + " buffers in large folios of fragmented memory");
            MemorySegment mapping = buffers.getLast().map(Access.READ);
            for (long at = 0; at < size; at += Bytes.PAGE) {
                assertEquals(0, mapping.get(ValueLayout.JAVA_LONG, at));
            }
        } finally {
            buffers.forEach(HeapBuffer::release);
            pinned.forEach(OwnedFd::close);
        }
    }

    /**
     * Takes most of the memory as small pages, pins some of these in each run of 2 MiB by dma-bufs, and returns all
     * others. The kernel cannot move a pinned page.
     */
    private List<OwnedFd> fragment() throws IOException {
        long size = (Headroom.machine().left() - (300L << 20)) & -FOLIO;
        int memfd = syscalls.memfdCreate("fragments", MFD_ALLOW_SEALING);
        List<OwnedFd> dmaBufs = new ArrayList<>();
        int device = syscalls.open(Devices.UDMABUF.toString(), O_RDWR);
        try (Arena arena = Arena.ofConfined()) {
            assertEquals(0, syscalls.fallocate(memfd, 0, 0, size));
            assertEquals(0, syscalls.fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
            int most = 512;
            MemorySegment list = arena.allocate(8 + 24L * most, 8); // struct udmabuf_create_list, and its items
            for (long from = 0; from < size; from += most * FOLIO / 4) {
                int count = (int) Math.min(most, (size - from) / (FOLIO / 4));
                list.set(ValueLayout.JAVA_INT, 0, 1); // UDMABUF_FLAGS_CLOEXEC
                list.set(ValueLayout.JAVA_INT, 4, count);
                for (int i = 0; i < count; i++) {
                    list.set(ValueLayout.JAVA_INT, 8 + 24L * i, memfd);
                    list.set(ValueLayout.JAVA_LONG, 16 + 24L * i, from + i * FOLIO / 4); // offset
                    list.set(ValueLayout.JAVA_LONG, 24 + 24L * i, Bytes.PAGE); // size
                }
                int dmaBuf = syscalls.ioctl(device, UDMABUF_CREATE_LIST, list.address());
                assertTrue(dmaBuf >= 0, () -> Errno.of(-dmaBuf).toString());
                dmaBufs.add(OwnedFd.of(dmaBuf, syscalls::close));
            }
            assertEquals(0, syscalls.fallocate(memfd, FALLOC_PUNCH_HOLE_KEEP_SIZE, 0, size));
            return dmaBufs;
        } finally {
            syscalls.close(device);
            syscalls.close(memfd);
        }
    }
}
