// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of refusals by the sources themselves. The tests of heap-system and of the guest use devices. */
class DmaBufSourcesTest {
    private static final long MIB = 1 << 20;

    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final AtomicLong room = new AtomicLong(1L << 40);
    private final AtomicLong cgroup = new AtomicLong(1L << 40);
    private final AtomicLong clock = new AtomicLong();
    private final Headroom headroom = MadeUpHeadroom.of(room::get, cgroup::get, clock::get);

    private final List<UdmabufSource> opened = new ArrayList<>();

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "/dev/null", "../null", "a/b", "..", "a..b"})
    void an_invalid_node_name_is_refused_before_it_is_opened(String node) {
        HeapException refusal = assertThrows(
                HeapException.class, () -> DmaHeapSource.open("camera", node, syscalls.calling(), headroom));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertTrue(
                refusal.getMessage().startsWith("heap 'camera': invalid name of a heap '" + node + "': expected"),
                refusal.getMessage());
        assertEquals(0, syscalls.count("open"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"linux,cma", "memory@42000000-contiguous", "protected,secure-video"})
    void a_missing_node_is_named(String node) {
        syscalls.answer("open", -Errno.ENOENT.number());
        HeapException refusal = assertThrows(
                HeapException.class, () -> DmaHeapSource.open("camera", node, syscalls.calling(), headroom));
        assertEquals(Errno.ENOENT, refusal.errno());
        assertTrue(refusal.getMessage().contains("open(/dev/dma_heap/" + node + ") failed"), refusal.getMessage());
    }

    /** A heap that refuses is asked again; a heap that could not be opened is not. */
    @Test
    void on_a_machine_without_memory_the_sources_open_and_refuse() throws IOException {
        room.set(0);
        DmaHeapSource kernels = dmaHeap(Path.of("/no/such/parameter"));
        UdmabufSource udmabuf = udmabuf(Path.of("/no/such/parameter"));
        for (MemorySource source : List.of(kernels, udmabuf)) {
            HeapException refusal =
                    assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(Bytes.PAGE)));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertTrue(refusal.getMessage().contains(Bytes.text(Bytes.PAGE) + " does not fit"), refusal.getMessage());
        }
        kernels.close();
    }

    @ParameterizedTest
    @CsvSource({"N, 48", "Y, 16", ", 48"})
    void memory_of_a_kernel_heap_counts_against_the_cgroup_only_if_the_kernel_charges_it(
            String parameter, int free, @TempDir Path folder) throws IOException {
        Path accounting = folder.resolve("mem_accounting");
        if (parameter != null) {
            Files.writeString(accounting, parameter + "\n");
        }
        cgroup.set(16);
        room.set(48);
        DmaHeapSource source = dmaHeap(accounting);
        assertEquals(free, source.usage().free().orElseThrow());
        source.close();
    }

    @Test
    void a_shortage_of_a_heap_s_own_memory_is_distinguished_from_the_machine_s() {
        openable();
        syscalls.answer("dmaHeapAllocate", -Errno.ENOMEM.number());
        HeapException own = assertThrows(
                HeapException.class, () -> DmaHeapSource.openWithOwnMemory("video", "reserved", syscalls.calling()));
        assertEquals(Errno.ENOMEM, own.errno());
        assertEquals(
                "heap 'video': " + Bytes.text(Bytes.PAGE) + " is not free in one piece in the memory reserved for"
                        + " /dev/dma_heap/reserved; ask for less, close buffers, or reserve more at boot (cma=, or"
                        + " the region in the device tree)",
                own.getMessage());

        HeapException machine = assertThrows(
                HeapException.class, () -> DmaHeapSource.open("system", "system", syscalls.calling(), headroom));
        assertEquals(Errno.ENOMEM, machine.errno());
        assertTrue(machine.getMessage().contains("; ask for less, close buffers, or raise"), machine.getMessage());
    }

    @Test
    void a_contiguous_heap_without_free_memory_opens_because_memory_can_return() {
        openable();
        syscalls.answer("dmaHeapAllocate", -Errno.ENOMEM.number());
        DmaHeapSource full = DmaHeapSource.openContiguous("video", "reserved", syscalls.calling());
        assertEquals(true, full.properties().get("heap.mappable"));
        HeapException refusal = assertThrows(HeapException.class, () -> full.allocate(HeapRequest.of(4096)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().contains("close buffers"), refusal.getMessage());
        full.close();

        syscalls.answer("dmaHeapAllocate", -Errno.ENOTTY.number());
        HeapException none = assertThrows(
                HeapException.class, () -> DmaHeapSource.openContiguous("video", "reserved", syscalls.calling()));
        assertEquals(Errno.ENOTTY, none.errno());
        assertEquals(2, syscalls.count("open"));
        assertEquals(2, syscalls.count("close"));
    }

    @Test
    void a_size_above_udmabufs_limit_is_refused_before_the_allocation(@TempDir Path folder) throws IOException {
        Path limit = Files.writeString(folder.resolve("size_limit_mb"), "2\n");
        UdmabufSource source = udmabuf(limit);
        long already = syscalls.count("memfdCreate");
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(2 * MIB + 1)));
        assertEquals(Errno.ENOMEM, refusal.errno()); // another heap may have memory for it
        assertEquals(
                "heap 'camera': " + (2 * MIB + Bytes.PAGE)
                        + " bytes exceed udmabuf's limit for one exportable buffer, 2 MiB;"
                        + " write 3 or more into /sys/module/udmabuf/parameters/size_limit_mb"
                        + " (udmabuf.size_limit_mb= at boot), ask for less, or use ExportMode.NONE",
                refusal.getMessage());
        assertEquals(already, syscalls.count("memfdCreate"));
        assertEquals(2 * MIB, source.usage().largestFree().orElseThrow());

        source.allocate(HeapRequest.of(2 * MIB)).release();
        source.allocate(HeapRequest.of(3 * MIB).withExport(ExportMode.NONE)).release(); // udmabuf is not involved
    }

    @Test
    void a_limit_that_is_raised_later_takes_effect(@TempDir Path folder) throws IOException {
        Path limit = Files.writeString(folder.resolve("size_limit_mb"), "1\n");
        UdmabufSource source = udmabuf(limit);
        assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(2 * MIB)));
        Files.writeString(limit, "2\n");
        source.allocate(HeapRequest.of(2 * MIB)).release();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "many\n"})
    void a_limit_that_cannot_be_read_is_the_kernels_default(String text, @TempDir Path folder) throws IOException {
        UdmabufSource source = udmabuf(Files.writeString(folder.resolve("size_limit_mb"), text));
        assertEquals(64 * MIB, source.usage().largestFree().orElseThrow());
        assertEquals(
                64 * MIB, udmabuf(folder.resolve("none")).usage().largestFree().orElseThrow());
    }

    @Test
    void what_devices_must_know_of_the_memory_is_announced(@TempDir Path folder) throws IOException {
        UdmabufSource udmabuf = udmabuf(Files.writeString(folder.resolve("size_limit_mb"), "2\n"));
        assertEquals(2L << 20, udmabuf.properties().get(HeapProperties.SIZE_MAX));
        assertEquals(Bytes.PAGE, udmabuf.properties().get(HeapProperties.SG_ENTRY));
        openable();
        DmaHeapSource ordinary = dmaHeap(Path.of("/no/such/parameter"));
        DmaHeapSource own = DmaHeapSource.openWithOwnMemory("video", "reserved", syscalls.calling());
        PhysicalMemory.facts().forEach((name, fact) -> {
            assertEquals(fact, udmabuf.properties().get(name));
            assertEquals(fact, ordinary.properties().get(name));
            assertFalse(own.properties().containsKey(name), name);
        });
        ordinary.close();
        own.close();
    }

    @Test
    void below_the_limit_the_usage_reports_the_free_memory(@TempDir Path folder) {
        UdmabufSource source = udmabuf(folder.resolve("none"));
        room.set(MIB);
        clock.addAndGet(51_000_000);
        assertEquals(MIB, source.usage().free().orElseThrow());
        assertEquals(MIB, source.usage().largestFree().orElseThrow());
    }

    private void openable() {
        syscalls.answerEach("open", () -> Syscalls.linux().open("/dev/null", Fcntl.O_CLOEXEC));
    }

    /** Opens a source on a kernel whose dma-bufs are descriptors of /dev/null. */
    private UdmabufSource udmabuf(Path limit) {
        openable();
        syscalls.answerEach("udmabufCreate", () -> Syscalls.linux().open("/dev/null", Fcntl.O_CLOEXEC));
        syscalls.answer("dmaBufSync", 0);
        syscalls.answer("dmaBufSetName", 0);
        UdmabufSource source = UdmabufSource.open("camera", syscalls.calling(), headroom, limit);
        opened.add(source);
        return source;
    }

    /** Opens a source on a kernel whose dma-bufs are memfds. */
    private DmaHeapSource dmaHeap(Path accounting) {
        openable();
        syscalls.answerEach(
                "dmaHeapAllocate", () -> new Memfd(Syscalls.linux()).create("camera", "camera", Bytes.PAGE, 0));
        syscalls.answer("dmaBufSync", 0);
        syscalls.answer("dmaBufSetName", 0);
        return DmaHeapSource.open("camera", "system", syscalls.calling(), headroom, accounting);
    }

    @AfterEach
    void devices_are_closed() {
        opened.forEach(UdmabufSource::close);
    }
}
