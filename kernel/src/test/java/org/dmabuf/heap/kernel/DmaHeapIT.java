// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Tests of the requests that the kernel's heaps accept and refuse, as other projects check them, and of the kernel's
 * view of a buffer.
 */
class DmaHeapIT {
    private static final int O_RDWR = 0x2;
    private static final int O_ACCMODE = 0x3;
    private static final int O_CLOEXEC = 0x80000;
    private static final int PAGE = (int) Bytes.PAGE;

    private final Syscalls syscalls = Syscalls.linux();
    private final OwnedFd node = OwnedFd.of(syscalls.open(Devices.SYSTEM_HEAP.toString(), O_CLOEXEC), syscalls::close);

    @AfterEach
    void close() {
        node.close();
    }

    private int allocate(long length, int fdFlags, long heapFlags) {
        return syscalls.dmaHeapAllocate(node.fd(), length, fdFlags, heapFlags);
    }

    private static long openFiles() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    @Test
    void a_buffer_is_allocated_by_the_name_of_its_heap_mapped_filled_and_closed() throws IOException {
        long before = openFiles();
        try (OwnedFd buffer = OwnedFd.of(allocate(16 << 10, O_RDWR | O_CLOEXEC, 0), syscalls::close);
                Arena arena = Arena.ofConfined()) {
            MemorySegment mapping = new Mappings(syscalls).map(buffer, 16 << 10, Access.READ_WRITE, arena);
            mapping.fill((byte) 0xff);
            assertEquals((byte) 0xff, mapping.get(ValueLayout.JAVA_BYTE, (16 << 10) - 1));
            assertEquals(16 << 10, syscalls.seekEnd(buffer.fd()));
        }
        assertEquals(before, openFiles());
    }

    @ParameterizedTest
    @ValueSource(longs = {0x1, 0x111111, 1L << 63, -1})
    void heap_flags_are_unknown_to_the_kernel(long flags) throws IOException {
        long before = openFiles();
        assertEquals(-Errno.EINVAL.number(), allocate(PAGE, O_RDWR | O_CLOEXEC, flags));
        assertEquals(before, openFiles());
    }

    @Test
    void a_descriptor_has_an_access_mode_and_is_closed_on_exec_and_other_flags_are_refused() throws IOException {
        long before = openFiles();
        assertEquals(-Errno.EINVAL.number(), allocate(PAGE, ~(O_RDWR | O_CLOEXEC), 0));
        for (int bit = 0; bit < Integer.SIZE; bit++) {
            int flag = 1 << bit;
            if ((flag & (O_ACCMODE | O_CLOEXEC)) == 0) {
                assertEquals(
                        -Errno.EINVAL.number(), allocate(PAGE, O_RDWR | flag, 0), "0x" + Integer.toHexString(flag));
            }
        }
        assertEquals(before, openFiles());
    }

    /** The negative lengths become 0 when they are rounded up to whole pages of any size. */
    @ParameterizedTest
    @ValueSource(longs = {0, -1, -4095})
    void a_length_of_no_pages_is_refused(long length) {
        assertEquals(-Errno.EINVAL.number(), allocate(length, O_RDWR | O_CLOEXEC, 0));
    }

    @Test
    void a_file_that_is_not_a_heap_allocates_no_memory() {
        assertEquals(-Errno.EBADF.number(), syscalls.dmaHeapAllocate(-1, PAGE, O_RDWR | O_CLOEXEC, 0));
        for (String file : new String[] {"/dev/null", "/etc/passwd", Devices.UDMABUF.toString()}) {
            try (OwnedFd none = OwnedFd.of(syscalls.open(file, O_CLOEXEC), syscalls::close)) {
                assertEquals(
                        -Errno.ENOTTY.number(), syscalls.dmaHeapAllocate(none.fd(), PAGE, O_RDWR | O_CLOEXEC, 0), file);
            }
        }
    }

    private MemorySource source(String kind) {
        return switch (kind) {
            case "dma-heap" -> DmaHeapSource.open("camera", "system", syscalls, Headroom.machine());
            case "udmabuf" -> UdmabufSource.open("camera", syscalls, Headroom.machine());
            default -> throw new IllegalArgumentException(kind);
        };
    }

    /** A name of 31 bytes is the longest that a source takes. */
    @ParameterizedTest
    @CsvSource({
        "dma-heap, , camera",
        "dma-heap, these 31 bytes of name all show, these 31 bytes of name all show",
        "dma-heap, äääääääääääääää, äääääääääääääää",
        "udmabuf, , camera",
        "udmabuf, these 31 bytes of name all show, these 31 bytes of name all show",
        "udmabuf, äääääääääääääää, äääääääääääääää"
    })
    void the_kernel_shows_the_name_of_a_buffer_and_its_size_in_whole_pages(String kind, String name, String shown)
            throws IOException {
        try (MemorySource source = source(kind)) {
            HeapRequest nameless = HeapRequest.of(PAGE + 1);
            HeapBuffer buffer = source.allocate(name == null ? nameless : nameless.withName(name));
            try {
                Map<String, String> info =
                        Files.readAllLines(Path.of("/proc/self/fdinfo/" + buffer.descriptor())).stream()
                                .map(line -> line.split(":\\s*", 2))
                                .collect(Collectors.toMap(part -> part[0], part -> part[1]));
                assertEquals(shown, info.get("name"));
                assertEquals(Integer.toString(2 * PAGE), info.get("size"));
                assertEquals(2 * PAGE, buffer.size());
            } finally {
                buffer.release();
            }
        }
    }
}
