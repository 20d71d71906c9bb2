// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
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
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.helpers.NOPLogger;

/** Tests of the heap on a kernel that fails at every possible call. Nothing is left behind. */
class SystemHeapFaultsTest {
    private static final long SIZE = 64 << 10;
    /** Three pieces, because fallocate works in pieces of 64 MiB. */
    private static final long LARGE = 130 << 20;

    /** A request with a writable descriptor, and one with a read-only descriptor. */
    private enum Kind {
        WRITER,
        READER;

        HeapRequest request(long size) {
            return this == WRITER ? HeapRequest.of(size) : HeapRequest.of(size).withExport(ExportMode.READ_ONLY);
        }
    }

    /** Ranges for which fallocate was called and succeeded. */
    private final List<String> pieces = new ArrayList<>();

    private final FaultySyscalls kernel = new FaultySyscalls((Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                if (method.getName().equals("fallocate")) {
                    long from = (long) arguments[2] >> 20;
                    pieces.add(from + " to " + (from + ((long) arguments[3] >> 20)) + " MiB");
                }
                return method.invoke(Syscalls.linux(), arguments);
            }));
    private HeapExporter heap;
    private ProcessState before;

    @BeforeEach
    void announce_a_heap() {
        Announced announced = new Announced();
        new SystemHeap(announced.context(), Configs.config("system", 0, 0), Map.of(), kernel, NOPLogger.NOP_LOGGER);
        heap = announced.heaps().getFirst().exporter();
        pieces.clear();
        before = ProcessState.now();
    }

    @AfterEach
    void nothing_is_left_behind() {
        before.assertNothingLeft();
    }

    private long made(String call, long already) {
        return kernel.count(call) - already;
    }

    private static void assertSentence(HeapException refusal, String call, String size, Errno kernels, String remedy) {
        assertEquals(Optional.of("system"), refusal.heap());
        String start = "heap 'system': " + call + " refused a buffer of " + size + ": " + kernels.meaning();
        assertTrue(refusal.getMessage().startsWith(start), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(remedy), refusal.getMessage());
    }

    @ParameterizedTest(name = "{0}: {1} number {2} fails with {3}")
    @CsvSource({
        "WRITER, memfdCreate, 1, EMFILE, EMFILE, memfd_create, LimitNOFILE=",
        "WRITER, memfdCreate, 1, ENFILE, ENFILE, memfd_create, fs.file-max",
        "WRITER, memfdCreate, 1, ENOMEM, ENOMEM, memfd_create, close buffers",
        "WRITER, fallocate, 1, ENOMEM, ENOMEM, fallocate, ask for less",
        "WRITER, fallocate, 1, ENOSPC, ENOMEM, fallocate, ask for less", // a full tmpfs is a shortage of memory
        "WRITER, fcntl, 1, EPERM, EPERM, fcntl(F_ADD_SEALS), a seal forbids it",
        "READER, memfdCreate, 1, EMFILE, EMFILE, memfd_create, LimitNOFILE=",
        "READER, memfdCreate, 1, ENFILE, ENFILE, memfd_create, fs.file-max",
        "READER, fallocate, 1, ENOMEM, ENOMEM, fallocate, ask for less",
        "READER, fallocate, 1, ENOSPC, ENOMEM, fallocate, ask for less",
        "READER, fcntl, 1, EPERM, EPERM, fcntl(F_ADD_SEALS), a seal forbids it",
        "READER, mmap, 1, ENOMEM, EAGAIN, mmap, vm.max_map_count", // the process's limit, so another heap is no remedy
        "READER, mmap, 1, EACCES, EACCES, mmap, ''",
        "READER, madvise, 1, ENOMEM, ENOMEM, madvise(MADV_POPULATE), close buffers",
        "READER, open, 1, ENOENT, ENOENT, open(/proc/self/fd), is /proc mounted?",
        "READER, open, 1, EMFILE, EMFILE, open(/proc/self/fd), LimitNOFILE=",
        "READER, fcntl, 2, EPERM, EPERM, fcntl(F_SEAL_FUTURE_WRITE), a seal forbids it"
    })
    void a_refused_allocation_states_the_reason_and_leaves_nothing_behind(
            Kind kind, String call, int number, Errno kernels, Errno expected, String name, String remedy) {
        kernel.failOn(call, number, kernels);
        HeapException refusal = assertThrows(HeapException.class, () -> heap.allocate(kind.request(SIZE)));
        assertEquals(expected, refusal.errno());
        assertSentence(refusal, name, "64 KiB", kernels, remedy);
        before.assertNothingLeft();
        // The fault affected only that call: the heap serves again.
        heap.allocate(kind.request(SIZE)).release();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void memory_is_released_if_the_kernel_refuses_half_of_a_large_buffer(Kind kind) {
        kernel.failOn("fallocate", 2, Errno.ENOSPC);
        HeapException refusal = assertThrows(HeapException.class, () -> heap.allocate(kind.request(LARGE)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertSentence(refusal, "fallocate", "130 MiB", Errno.ENOSPC, "ask for less");
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void an_interrupted_fallocate_is_repeated(Kind kind) {
        long already = kernel.count("fallocate");
        kernel.failNext("fallocate", 3, Errno.EINTR);
        heap.allocate(kind.request(SIZE)).release();
        assertEquals(4, made("fallocate", already));
    }

    @Test
    void a_large_buffer_is_made_in_pieces_and_a_signal_repeats_one_piece() throws IOException {
        long already = kernel.count("fallocate");
        kernel.failOn("fallocate", 2, Errno.EINTR);
        HeapBuffer buffer = heap.allocate(HeapRequest.of(LARGE));
        assertEquals(4, made("fallocate", already));
        assertEquals(List.of("0 to 64 MiB", "64 to 128 MiB", "128 to 130 MiB"), pieces);
        assertEquals(LARGE, buffer.size());
        assertEquals(LARGE, Files.size(Path.of("/proc/self/fd/" + buffer.descriptor())));
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"EINTR", "EAGAIN"})
    void an_interrupted_population_is_repeated(Errno errno) {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE));
        long already = kernel.count("madvise");
        kernel.failNext("madvise", 3, errno);
        buffer.unmap(buffer.map(Access.READ_WRITE));
        assertEquals(4, made("madvise", already));

        kernel.failNext("madvise", 3, errno);
        heap.allocate(Kind.READER.request(SIZE)).release();
        assertEquals(8, made("madvise", already));
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(Access.class)
    void a_mapping_at_the_mapping_limit_is_refused_and_the_buffer_stays(Access access) {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE));
        kernel.failNext("mmap", 1, Errno.ENOMEM);
        HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(access));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertSentence(refusal, "mmap", "64 KiB", Errno.ENOMEM, "vm.max_map_count");

        MemorySegment mapping = buffer.map(access);
        assertEquals(0, mapping.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        buffer.unmap(mapping);
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(Access.class)
    void a_mapping_that_cannot_be_populated_is_undone_and_the_buffer_stays(Access access) {
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE).withExport(ExportMode.NONE));
        ProcessState unmapped = ProcessState.now();
        kernel.failNext("madvise", 1, Errno.EFAULT);
        HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(access));
        assertEquals(Errno.ENOMEM, refusal.errno(), "an access would raise SIGBUS for lack of memory");
        assertSentence(refusal, "madvise(MADV_POPULATE)", "64 KiB", Errno.ENOMEM, "ask for less");
        unmapped.assertNothingLeft();

        buffer.unmap(buffer.map(access));
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void a_kernel_that_cannot_populate_still_maps(Kind kind) {
        kernel.fail("madvise", Errno.EINVAL);
        HeapBuffer buffer = heap.allocate(kind.request(SIZE));
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.fill((byte) 1);
        assertEquals(1, mapping.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        buffer.unmap(mapping);
        buffer.release();
    }

    @Test
    void a_kernel_without_noexec_is_asked_without_it_and_not_asked_again() {
        long already = kernel.count("memfdCreate");
        kernel.failNext("memfdCreate", 1, Errno.EINVAL);
        heap.allocate(HeapRequest.of(SIZE)).release();
        assertEquals(2, made("memfdCreate", already));
        // A second attempt with the flag would be refused once and then served.
        kernel.failNext("memfdCreate", 1, Errno.EINVAL);
        assertThrows(HeapException.class, () -> heap.allocate(HeapRequest.of(SIZE)));
        assertEquals(3, made("memfdCreate", already));
    }

    @Test
    void a_refusal_with_and_without_noexec_is_reported_and_both_are_tried_again() {
        long already = kernel.count("memfdCreate");
        kernel.failNext("memfdCreate", 2, Errno.EINVAL);
        HeapException refusal = assertThrows(HeapException.class, () -> heap.allocate(HeapRequest.of(SIZE)));
        assertEquals(Errno.EINVAL, refusal.errno());
        kernel.failNext("memfdCreate", 1, Errno.EINVAL);
        heap.allocate(HeapRequest.of(SIZE)).release();
        assertEquals(4, made("memfdCreate", already));
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void an_interrupted_close_is_not_repeated(Kind kind) {
        HeapBuffer buffer = heap.allocate(kind.request(SIZE));
        long already = kernel.count("close");
        kernel.fail("close", Errno.EINTR);
        buffer.release();
        assertEquals(1, made("close", already));
    }

    @Test
    void a_buffer_needs_four_system_calls_and_each_mapping_three() {
        String[] calls = {"memfdCreate", "fallocate", "fcntl", "close", "mmap", "madvise", "munmap", "open", "inode"};
        long[] already = new long[calls.length];
        for (int i = 0; i < calls.length; i++) {
            already[i] = kernel.count(calls[i]);
        }
        HeapBuffer buffer = heap.allocate(HeapRequest.of(SIZE));
        buffer.descriptor();
        for (Access access : Access.values()) {
            buffer.unmap(buffer.map(access));
        }
        buffer.release();
        long[] expected = {1, 1, 1, 1, 3, 3, 3, 0, 0};
        for (int i = 0; i < calls.length; i++) {
            assertEquals(expected[i], made(calls[i], already[i]), calls[i]);
        }
    }
}
