// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.HeapContract;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of the two back ends with devices, on a kernel that fails at every possible call. Nothing is left behind. */
class DmaBufBackendsTest {
    private static final long SIZE = 64 << 10;
    private static final int START = 0;
    private static final int END = 4;
    private static final int READ = 1;
    private static final int WRITE = 2;
    private static final int BOTH = READ | WRITE;

    private final ProcessState before = ProcessState.now();
    private final DmaBufKernel devices = new DmaBufKernel();
    private final FaultySyscalls kernel = new FaultySyscalls(devices.syscalls);
    private final List<MemorySource> open = new ArrayList<>();

    @AfterEach
    void nothing_is_left_behind() {
        open.forEach(MemorySource::close);
        before.assertNothingLeft();
    }

    /** The two back ends with a device. */
    private enum Kind {
        DMA_HEAP,
        UDMABUF;

        private MemorySource open(String heap, Syscalls syscalls) {
            return switch (this) {
                case DMA_HEAP -> DmaHeapSource.open(heap, "system", syscalls, Headroom.machine());
                case UDMABUF -> UdmabufSource.open(heap, syscalls, Headroom.machine());
            };
        }
    }

    private MemorySource open(Kind kind) {
        return open(kind, "camera");
    }

    private MemorySource open(Kind kind, String heap) {
        MemorySource source = kind.open(heap, kernel);
        open.add(source);
        devices.syncs.clear();
        devices.names.clear();
        return source;
    }

    private long[] counts(String... calls) {
        return Arrays.stream(calls).mapToLong(kernel::count).toArray();
    }

    @TestFactory
    Stream<DynamicTest> both_keep_the_contract() {
        return Stream.of(Kind.values()).flatMap(kind -> {
            MemorySource source = kind.open("camera", devices.syscalls);
            Map<String, Object> properties = new HashMap<>(source.properties());
            properties.put("heap.name", "camera");
            properties.put("heap.dmabuf", false); // a memfd of the running kernel stands for a dma-buf
            return Stream.concat(
                    HeapContract.of(source, properties).cases().stream()
                            .map(c -> DynamicTest.dynamicTest(kind + " " + c.name(), () -> {
                                Assumptions.assumeTrue(
                                        c.skipReason().isEmpty(),
                                        () -> c.skipReason().get());
                                c.run();
                            })),
                    Stream.of(DynamicTest.dynamicTest(kind + " and is closed", source::close)));
        });
    }

    @Test
    void the_properties_are_those_of_dma_bufs() {
        assertEquals(
                PhysicalMemory.with(Map.of(
                        "heap.backend",
                        "dma-heap",
                        "heap.dmabuf",
                        true,
                        "heap.mappable",
                        true,
                        "heap.contiguous.max",
                        Bytes.PAGE,
                        "heap.alignment",
                        Bytes.PAGE,
                        "heap.export.readonly",
                        false)),
                open(Kind.DMA_HEAP).properties());
        Map<String, Object> udmabuf = new HashMap<>(open(Kind.UDMABUF).properties());
        assertTrue((long) udmabuf.remove("heap.size.max") > 0, "the machine's limit of one buffer");
        assertEquals(
                PhysicalMemory.with(Map.of(
                        "heap.backend",
                        "udmabuf",
                        "heap.dmabuf",
                        true,
                        "heap.contiguous.max",
                        Bytes.PAGE,
                        "heap.alignment",
                        Bytes.PAGE,
                        "heap.export.readonly",
                        false,
                        "heap.sg.entry",
                        Bytes.PAGE)),
                udmabuf);
    }

    @ParameterizedTest(name = "{0} is refused with {1}")
    @CsvSource({
        "DMA_HEAP, ENOENT, /dev/dma_heap/system, CONFIG_DMABUF_HEAPS",
        "DMA_HEAP, ENODEV, /dev/dma_heap/system, CONFIG_DMABUF_HEAPS",
        "DMA_HEAP, EACCES, /dev/dma_heap/system, 60-dmaheap.rules",
        "DMA_HEAP, EPERM, /dev/dma_heap/system, DeviceAllow=/dev/dma_heap/system rw",
        "DMA_HEAP, EMFILE, /dev/dma_heap/system, LimitNOFILE=",
        "UDMABUF, ENOENT, /dev/udmabuf, CONFIG_UDMABUF=y",
        "UDMABUF, ENODEV, /dev/udmabuf, --device=/dev/udmabuf",
        "UDMABUF, EACCES, /dev/udmabuf, 60-dmaheap.rules",
        "UDMABUF, EPERM, /dev/udmabuf, --device=/dev/udmabuf",
        "UDMABUF, ENFILE, /dev/udmabuf, fs.file-max"
    })
    void a_device_that_does_not_open_is_named_with_a_remedy(Kind kind, Errno errno, String path, String remedy) {
        devices.without(path, errno);
        HeapException refusal = assertThrows(HeapException.class, () -> open(kind));
        assertEquals(errno, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
        assertTrue(
                refusal.getMessage().startsWith("heap 'camera': open(" + path + ") failed: " + errno.meaning() + "; "),
                refusal.getMessage());
        assertTrue(refusal.getMessage().contains(remedy), refusal.getMessage());
    }

    @ParameterizedTest(name = "{0}: {1} fails with {2}")
    @CsvSource({
        "DMA_HEAP, dmaHeapAllocate, ENOMEM, ENOMEM, ioctl(DMA_HEAP_IOCTL_ALLOC), ask for less",
        "DMA_HEAP, dmaHeapAllocate, EMFILE, EMFILE, ioctl(DMA_HEAP_IOCTL_ALLOC), LimitNOFILE=",
        "DMA_HEAP, dmaHeapAllocate, ENOTTY, ENOTTY, ioctl(DMA_HEAP_IOCTL_ALLOC), its node is not a heap",
        "DMA_HEAP, dmaHeapAllocate, EINVAL, EINVAL, ioctl(DMA_HEAP_IOCTL_ALLOC), ''",
        "DMA_HEAP, dmaHeapAllocate, ENODEV, ENODEV, ioctl(DMA_HEAP_IOCTL_ALLOC), ''",
        "DMA_HEAP, dmaBufSetName, ENOMEM, ENOMEM, ioctl(DMA_BUF_SET_NAME), close buffers",
        "DMA_HEAP, seekEnd, EINVAL, EINVAL, lseek, ''",
        "UDMABUF, memfdCreate, EMFILE, EMFILE, memfd_create, LimitNOFILE=",
        "UDMABUF, fallocate, ENOSPC, ENOMEM, fallocate, ask for less",
        "UDMABUF, fcntl, EPERM, EPERM, fcntl(F_ADD_SEALS), a seal forbids it",
        "UDMABUF, mmap, ENOMEM, EAGAIN, mmap, vm.max_map_count", // the process's limit, so another heap is no remedy
        "UDMABUF, madvise, ENOMEM, ENOMEM, madvise(MADV_POPULATE), close buffers",
        "UDMABUF, udmabufCreate, EINVAL, EINVAL, ioctl(UDMABUF_CREATE), size_limit_mb",
        "UDMABUF, udmabufCreate, ENOMEM, ENOMEM, ioctl(UDMABUF_CREATE), close buffers",
        "UDMABUF, udmabufCreate, EMFILE, EMFILE, ioctl(UDMABUF_CREATE), LimitNOFILE=",
        "UDMABUF, udmabufCreate, EBADFD, EBADFD, ioctl(UDMABUF_CREATE), ''",
        "UDMABUF, udmabufCreate, ENOTTY, ENOTTY, ioctl(UDMABUF_CREATE), ''",
        "UDMABUF, dmaBufSetName, EFAULT, EFAULT, ioctl(DMA_BUF_SET_NAME), ''"
    })
    void a_refused_allocation_states_the_reason_and_leaves_nothing_behind(
            Kind kind, String call, Errno kernels, Errno expected, String name, String remedy) {
        MemorySource source = open(kind);
        ProcessState opened = ProcessState.now();
        kernel.failNext(call, 1, kernels);
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(SIZE)));
        assertEquals(expected, refusal.errno());
        String start = "heap 'camera': " + name + " refused a buffer of 64 KiB: " + kernels.meaning();
        assertTrue(refusal.getMessage().startsWith(start), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(remedy), refusal.getMessage());
        opened.assertNothingLeft();
        source.allocate(HeapRequest.of(SIZE)).release();
    }

    @ParameterizedTest(name = "{0}: {1} fails with {2}")
    @CsvSource({
        "DMA_HEAP, dmaHeapAllocate, ENOMEM",
        "DMA_HEAP, dmaHeapAllocate, ENOTTY",
        "DMA_HEAP, dmaBufSetName, EFAULT",
        "DMA_HEAP, seekEnd, EINVAL",
        "DMA_HEAP, dmaBufSync, ENOTTY",
        "DMA_HEAP, mmap, EACCES",
        "UDMABUF, memfdCreate, EMFILE",
        "UDMABUF, fallocate, ENOSPC",
        "UDMABUF, fcntl, EPERM",
        "UDMABUF, mmap, ENOMEM",
        "UDMABUF, udmabufCreate, EINVAL",
        "UDMABUF, dmaBufSetName, EFAULT",
        "UDMABUF, dmaBufSync, EINVAL"
    })
    void a_source_whose_first_page_fails_does_not_open(Kind kind, String call, Errno errno) {
        kernel.fail(call, errno);
        assertThrows(HeapException.class, () -> open(kind));
        before.assertNothingLeft();
    }

    @Test
    void memory_that_the_cpu_cannot_map_is_announced_and_its_mapping_is_refused() {
        kernel.failNext("mmap", 1, Errno.EINVAL);
        MemorySource source = open(Kind.DMA_HEAP);
        assertEquals(false, source.properties().get("heap.mappable"));
        long mmaps = kernel.count("mmap");
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(Access.READ));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertTrue(
                refusal.getMessage().startsWith("heap 'camera': a buffer of 64 KiB cannot be mapped, because"),
                refusal.getMessage());
        assertEquals(mmaps, kernel.count("mmap"));
        buffer.release();
    }

    @Test
    void a_buffer_below_the_requested_size_is_refused() {
        MemorySource source = open(Kind.DMA_HEAP);
        kernel.answer("seekEnd", SIZE - 1);
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(SIZE)));
        assertEquals(Errno.EIO, refusal.errno());
        assertTrue(
                refusal.getMessage().contains("returned a buffer of 65535 bytes instead of 65536"),
                refusal.getMessage());
    }

    @Test
    void a_buffer_above_the_requested_size_reports_its_size() {
        MemorySource source = open(Kind.DMA_HEAP);
        kernel.answer("seekEnd", 2 * SIZE);
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        assertEquals(2 * SIZE, buffer.size());
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void a_read_only_export_is_refused_with_a_reason_before_any_system_call(Kind kind) {
        MemorySource source = open(kind);
        long[] already = counts("dmaHeapAllocate", "memfdCreate");
        HeapException refusal = assertThrows(
                HeapException.class, () -> source.allocate(HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY)));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "heap 'camera': 65536 bytes were refused: the heap has no read-only export, because each holder of a"
                        + " dma-buf can write to it; use READ_WRITE, or a heap whose heap.export.readonly is true",
                refusal.getMessage());
        assertEquals(Arrays.toString(already), Arrays.toString(counts("dmaHeapAllocate", "memfdCreate")));
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void a_buffer_has_its_own_or_the_heaps_name_truncated_to_the_kernels_limit(Kind kind) {
        MemorySource source = open(kind);
        source.allocate(HeapRequest.of(1)).release();
        source.allocate(HeapRequest.of(1).withName("frame 7")).release();
        assertEquals(List.of("camera", "frame 7"), devices.names);
        open(kind, "a" + "\u20ac".repeat(11)).allocate(HeapRequest.of(1)).release();
        assertEquals(List.of("a" + "\u20ac".repeat(10)), devices.names);
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void a_kernel_without_names_serves(Kind kind) {
        kernel.fail("dmaBufSetName", Errno.ENOTTY);
        open(kind).allocate(HeapRequest.of(SIZE)).release();
    }

    @Test
    void each_cpu_access_reaches_the_kernel_with_its_direction() {
        HeapBuffer buffer = open(Kind.DMA_HEAP).allocate(HeapRequest.of(SIZE));
        buffer.descriptor();
        for (Access access : List.of(Access.READ, Access.WRITE, Access.READ_WRITE)) {
            buffer.beginCpuAccess(access);
            buffer.endCpuAccess(access);
        }
        assertEquals(
                Stream.of(READ, END | READ, WRITE, END | WRITE, BOTH, END | BOTH)
                        .map(Integer::longValue)
                        .toList(),
                devices.syncs);
        buffer.release();
    }

    @Test
    void the_table_of_udmabuf_is_made_in_both_directions_before_the_first_cpu_access() {
        HeapBuffer buffer = open(Kind.UDMABUF).allocate(HeapRequest.of(SIZE));
        buffer.beginCpuAccess(Access.READ);
        buffer.endCpuAccess(Access.READ);
        buffer.descriptor();
        assertEquals(
                Stream.of(START | BOTH, END | BOTH, START | READ, END | READ)
                        .map(Integer::longValue)
                        .toList(),
                devices.syncs);
        buffer.release();
    }

    @Test
    void the_table_of_udmabuf_is_made_once_before_the_descriptor_is_exported() {
        HeapBuffer buffer = open(Kind.UDMABUF).allocate(HeapRequest.of(SIZE));
        assertEquals(List.of(), devices.syncs);
        kernel.failNext("dmaBufSync", 1, Errno.ENOMEM);
        HeapException refusal = assertThrows(HeapException.class, buffer::descriptor);
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(buffer.descriptor(), buffer.descriptor());
        assertEquals(List.of((long) (START | BOTH), (long) (END | BOTH)), devices.syncs);
        buffer.release();
    }

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource({"DMA_HEAP, EINTR", "DMA_HEAP, EAGAIN", "UDMABUF, EINTR", "UDMABUF, EAGAIN"})
    void an_interrupted_cpu_access_is_repeated(Kind kind, Errno errno) {
        HeapBuffer buffer = open(kind).allocate(HeapRequest.of(SIZE));
        buffer.descriptor();
        long already = kernel.count("dmaBufSync");
        kernel.failNext("dmaBufSync", 3, errno);
        buffer.beginCpuAccess(Access.READ);
        kernel.failNext("dmaBufSync", 2, errno);
        buffer.endCpuAccess(Access.READ);
        assertEquals(4 + 3, kernel.count("dmaBufSync") - already);
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void a_refused_cpu_access_is_reported_and_the_next_one_is_tried(Kind kind) {
        HeapBuffer buffer = open(kind).allocate(HeapRequest.of(SIZE));
        buffer.descriptor();
        kernel.failNext("dmaBufSync", 1, Errno.EINVAL);
        HeapException refusal = assertThrows(HeapException.class, () -> buffer.beginCpuAccess(Access.WRITE));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "heap 'camera': ioctl(DMA_BUF_IOCTL_SYNC) refused a buffer of 64 KiB: invalid argument",
                refusal.getMessage());
        buffer.beginCpuAccess(Access.WRITE);
        buffer.endCpuAccess(Access.WRITE);
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void a_closed_source_allocates_no_dma_buf_and_its_buffers_stay_usable(Kind kind) {
        MemorySource source = open(kind);
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        source.close();
        source.close();
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(SIZE)));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertTrue(refusal.getMessage().startsWith("heap 'camera': it has left, and /dev/"), refusal.getMessage());
        buffer.unmap(buffer.map(Access.READ_WRITE));
        buffer.beginCpuAccess(Access.READ);
        buffer.endCpuAccess(Access.READ);
        buffer.release();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void an_absurd_size_is_refused_before_any_system_call(Kind kind) {
        MemorySource source = open(kind);
        long[] already = counts("dmaHeapAllocate", "memfdCreate", "udmabufCreate");
        for (ExportMode mode : List.of(ExportMode.READ_WRITE, ExportMode.NONE)) {
            HeapRequest request = HeapRequest.of(1L << 46).withExport(mode);
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(request));
            assertEquals(Errno.ENOMEM, refusal.errno());
        }
        assertEquals(
                Arrays.toString(already), Arrays.toString(counts("dmaHeapAllocate", "memfdCreate", "udmabufCreate")));
    }

    @Test
    void a_buffer_needs_a_known_number_of_system_calls() {
        String[] calls = {
            "open",
            "dmaHeapAllocate",
            "memfdCreate",
            "fallocate",
            "fcntl",
            "udmabufCreate",
            "dmaBufSetName",
            "seekEnd",
            "dmaBufSync",
            "close",
            "mmap",
            "madvise",
            "munmap"
        };
        assertCosts(Kind.DMA_HEAP, calls, 0, 1, 0, 0, 0, 0, 1, 1, 2, 1, 1, 1, 1);
        // Two of the syncs are for the table. The only mapping was made at the start, to zero the pages.
        assertCosts(Kind.UDMABUF, calls, 0, 0, 1, 1, 1, 1, 1, 0, 4, 2, 1, 1, 1);
    }

    private void assertCosts(Kind kind, String[] calls, long... expected) {
        MemorySource source = open(kind);
        long[] already = counts(calls);
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        buffer.descriptor();
        buffer.beginCpuAccess(Access.READ);
        buffer.unmap(buffer.map(Access.READ_WRITE));
        buffer.endCpuAccess(Access.READ);
        buffer.release();
        long[] made = counts(calls);
        for (int i = 0; i < calls.length; i++) {
            assertEquals(expected[i], made[i] - already[i], kind + " " + calls[i]);
        }
    }
}
