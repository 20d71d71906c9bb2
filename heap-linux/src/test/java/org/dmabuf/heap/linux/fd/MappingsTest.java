// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class MappingsTest {
    private static final long SIZE = 4 * Bytes.PAGE;
    /** Name by which /proc/self/maps shows every mapping of this test. */
    private static final String NAME = "mmap-test";

    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final Mappings mappings = new Mappings(syscalls.calling());
    private final Mmap mmap = new Mmap(syscalls.calling());
    private final OwnedFd fd = OwnedFd.of(
            new Memfd(Syscalls.linux()).create("camera", NAME, SIZE, Memfd.F_SEAL_SEAL), Syscalls.linux()::close);

    @AfterEach
    void nothing_is_left_mapped() throws IOException {
        fd.close();
        assertEquals(0, mappings());
    }

    private static long mappings() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("/memfd:" + NAME)).count();
        }
    }

    @Test
    void a_mapping_for_reading_is_a_read_only_segment() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = mappings.map(fd, SIZE, Access.READ, arena);
            assertTrue(segment.isReadOnly());
            assertEquals(SIZE, segment.byteSize());
            assertEquals(0, segment.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Access.class,
            names = {"WRITE", "READ_WRITE"})
    void a_mapping_for_writing_is_seen_by_others(Access access) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = mappings.map(fd, SIZE, access, arena);
            MemorySegment other = mappings.map(fd, SIZE, Access.READ, arena);
            segment.set(ValueLayout.JAVA_BYTE, SIZE - 1, (byte) 42);
            assertEquals(42, other.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        }
    }

    @ParameterizedTest
    @CsvSource({"READ, r--s", "WRITE, rw-s", "READ_WRITE, rw-s"})
    void a_mapping_has_the_requested_permissions_and_all_its_pages(Access access, String permissions)
            throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            assertEquals(SIZE, mappings.map(fd, SIZE, access, arena).byteSize());
            // One line as in maps, then a line for each figure of that mapping. Rss counts the pages in the page
            // tables.
            List<String> lines = Files.readAllLines(Path.of("/proc/self/smaps"));
            int first = 0;
            while (!lines.get(first).contains("/memfd:" + NAME)) {
                first++;
            }
            assertEquals(permissions, lines.get(first).split(" ")[1]);
            String resident = lines.subList(first, lines.size()).stream()
                    .filter(line -> line.startsWith("Rss:"))
                    .findFirst()
                    .orElseThrow();
            assertEquals("Rss: " + SIZE / 1024 + " kB", resident.replaceAll(" +", " "));
        }
    }

    @Test
    void the_mapping_is_gone_when_its_arena_has_closed() throws IOException {
        try (Arena arena = Arena.ofShared()) {
            mappings.map(fd, SIZE, Access.READ_WRITE, arena);
            assertEquals(1, mappings());
        }
        assertEquals(0, mappings());
    }

    @Test
    void the_descriptor_may_be_closed_while_the_mapping_stays() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = mappings.map(fd, SIZE, Access.READ_WRITE, arena);
            fd.close();
            segment.fill((byte) 1);
            assertEquals(1, segment.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test
    void under_a_closed_arena_the_mapping_is_undone() {
        Arena arena = Arena.ofConfined();
        arena.close();
        assertThrows(IllegalStateException.class, () -> mappings.map(fd, SIZE, Access.READ, arena));
        assertEquals(1, syscalls.count("mmap"));
        assertEquals(1, syscalls.count("munmap"));
    }

    @Test
    void under_another_threads_arena_the_mapping_is_undone() throws InterruptedException {
        try (Arena arena = Arena.ofConfined()) {
            Thread other = new Thread(
                    () -> assertThrows(WrongThreadException.class, () -> mappings.map(fd, SIZE, Access.READ, arena)));
            Throwable[] failure = new Throwable[1];
            other.setUncaughtExceptionHandler((thread, e) -> failure[0] = e);
            other.start();
            other.join();
            assertEquals(null, failure[0]);
            assertEquals(1, syscalls.count("mmap"));
            assertEquals(1, syscalls.count("munmap"));
        }
    }

    @Test
    void a_closed_descriptor_is_not_mapped() {
        fd.close();
        try (Arena arena = Arena.ofConfined()) {
            assertThrows(IllegalStateException.class, () -> mappings.map(fd, SIZE, Access.READ, arena));
        }
        assertEquals(0, syscalls.count("mmap"));
    }

    @Test
    void a_mapping_that_the_kernel_refuses_is_reported() {
        syscalls.answer("mmap", (long) -Errno.ENOMEM.number());
        try (Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> mappings.map(fd, SIZE, Access.READ, arena));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertTrue(refusal.getMessage().contains("vm.max_map_count"), refusal.getMessage());
        }
        assertEquals(0, syscalls.count("munmap"));
    }

    @Test
    void a_mapping_without_its_pages_is_undone() throws IOException {
        syscalls.answer("madvise", -Errno.EFAULT.number());
        try (Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> mappings.map(fd, SIZE, Access.READ, arena));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertEquals(0, mappings());

            syscalls.answer("size", SIZE - 1L); // another process has shortened the file
            refusal = assertThrows(HeapException.class, () -> mappings.map(fd, SIZE, Access.READ, arena));
            assertEquals(Errno.EFAULT, refusal.errno());
            assertEquals(0, mappings());
        }
    }

    @Test
    void mapping_works_on_a_kernel_that_cannot_populate_page_tables() {
        syscalls.answer("madvise", -Errno.EINVAL.number());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = mappings.map(fd, SIZE, Access.READ_WRITE, arena);
            segment.fill((byte) 3);
            assertFalse(segment.isReadOnly());
        }
    }

    /** Otherwise a dma-buf of this memory would show the pages' earlier content. */
    @Test
    void a_permanent_mapping_has_every_page_even_if_the_kernel_cannot_populate_it() throws IOException {
        syscalls.answer("madvise", -Errno.EINVAL.number());
        MemorySegment untouched = mmap.map("camera", fd.fd(), SIZE, Access.READ_WRITE);
        assertEquals(0, resident());
        mmap.unmap(untouched);

        MemorySegment kept = mmap.mapToKeep("camera", fd.fd(), SIZE);
        assertEquals(SIZE, resident());
        mmap.unmap(kept);
    }

    /** Bytes of the only mapping that are in the page tables. */
    private static long resident() throws IOException {
        List<String> lines = Files.readAllLines(Path.of("/proc/self/smaps"));
        boolean here = false;
        for (String line : lines) {
            here |= line.contains("/memfd:" + NAME);
            if (here && line.startsWith("Rss:")) {
                return Long.parseLong(line.substring("Rss:".length())
                                .replace("kB", "")
                                .strip())
                        * 1024;
            }
        }
        throw new AssertionError("nothing is mapped");
    }
}
