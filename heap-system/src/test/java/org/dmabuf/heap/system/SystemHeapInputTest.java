// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.helpers.NOPLogger;

/** Tests of each invalid input that this heap, or a peer with its descriptor, can make, and of the kernel's errno. */
class SystemHeapInputTest {
    private static final long SIZE = 64 << 10;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_WRITE = 0x8;
    private static final int FALLOC_FL_PUNCH_HOLE = 0x2;
    private static final int FALLOC_FL_KEEP_SIZE = 0x1;

    private final FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
    private HeapExporter heap;
    private ProcessState before;
    private long memfds;

    @BeforeEach
    void announce_a_heap() {
        Announced announced = new Announced();
        new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of(), kernel, NOPLogger.NOP_LOGGER);
        heap = announced.heaps().getFirst().exporter();
        memfds = kernel.count("memfdCreate");
        before = ProcessState.now();
    }

    @AfterEach
    void nothing_is_left_behind() {
        before.assertNothingLeft();
    }

    /** Checks a refusal by the heap itself, without a call to the kernel. */
    private void assertRefused(HeapRequest request, Errno errno, String sentence) {
        HeapException refusal = assertThrows(HeapException.class, () -> heap.allocate(request));
        assertEquals(errno, refusal.errno());
        assertEquals(Optional.of("system"), refusal.heap());
        assertTrue(refusal.getMessage().startsWith(sentence), refusal.getMessage());
        assertEquals(memfds, kernel.count("memfdCreate"));
    }

    @Test
    void a_request_that_is_null_is_einval() {
        assertRefused(null, Errno.EINVAL, "heap 'system': invalid request = null: expected a HeapRequest");
    }

    @ParameterizedTest
    @EnumSource(
            value = ExportMode.class,
            names = {"READ_ONLY", "READ_WRITE"})
    void a_size_above_the_machines_memory_is_enomem(ExportMode mode) {
        for (long size : new long[] {1L << 46, Long.MAX_VALUE - (128 << 10)}) {
            assertRefused(
                    HeapRequest.of(size).withExport(mode),
                    Errno.ENOMEM,
                    "heap 'system': " + Bytes.text(Bytes.wholePages(size)) + " does not fit: ");
        }
    }

    @Test
    void an_alignment_above_a_page_is_einval() {
        assertRefused(
                HeapRequest.of(SIZE).withAlignment(2 << 20),
                Errno.EINVAL,
                "heap 'system': 65536 bytes were refused: memory is aligned to " + Bytes.PAGE
                        + " bytes, not to 2097152");
    }

    @Test
    void a_descriptor_of_a_buffer_without_export_is_enotsup() {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE).withExport(ExportMode.NONE));
        HeapException refusal = assertThrows(HeapException.class, buffer::descriptor);
        assertEquals(Errno.ENOTSUP, refusal.errno());
        assertEquals(
                "heap 'system': a buffer of 64 KiB was allocated with ExportMode.NONE and has no descriptor to give;"
                        + " allocate it with READ_ONLY or READ_WRITE",
                refusal.getMessage());
        buffer.release();
    }

    @Test
    void a_writable_mapping_of_a_read_only_descriptor_is_eacces() {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY));
        try (OwnedFd peer = new Descriptors(kernel).duplicate("system", buffer.descriptor());
                Arena arena = Arena.ofConfined()) {
            HeapException refusal =
                    assertThrows(HeapException.class, () -> new Mappings(kernel).map(peer, SIZE, Access.WRITE, arena));
            assertEquals(Errno.EACCES, refusal.errno());
        }
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(
            value = ExportMode.class,
            names = {"READ_ONLY", "READ_WRITE"})
    void another_seal_on_completely_sealed_memory_is_eperm(ExportMode mode) {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE).withExport(mode));
        // Through the read-only descriptor the kernel would refuse before it checks the seals, so one for writing is
        // needed.
        assertEquals(-Errno.EPERM.number(), kernel.fcntl(buffer.descriptor(), F_ADD_SEALS, F_SEAL_WRITE));
        try (OwnedFd again = reopened(buffer)) {
            assertEquals(-Errno.EPERM.number(), kernel.fcntl(again.fd(), F_ADD_SEALS, F_SEAL_WRITE));
        }
        buffer.release();
    }

    @Test
    void a_hole_punched_through_a_read_only_descriptor_is_eperm() {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY));
        try (OwnedFd again = reopened(buffer)) {
            assertEquals(
                    -Errno.EPERM.number(),
                    kernel.fallocate(again.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, Bytes.PAGE));
        }
        buffer.release();
    }

    @Test
    void a_closed_descriptor_is_ebadf() {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE));
        int stale = buffer.descriptor();
        buffer.release();
        HeapException refusal =
                assertThrows(HeapException.class, () -> new Descriptors(kernel).duplicate("system", stale));
        assertEquals(Errno.EBADF, refusal.errno());
    }

    /** The same user can always open a memfd for writing through /proc. */
    private OwnedFd reopened(HeapBuffer buffer) {
        int fd = kernel.open("/proc/self/fd/" + buffer.descriptor(), 0x80002); // O_RDWR | O_CLOEXEC
        return OwnedFd.of(fd, kernel::close);
    }
}
