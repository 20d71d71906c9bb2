// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.dmabuf.heap.linux.PlainSource.HEAP;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Function;
import org.dmabuf.heap.linux.FaultyMachine;
import org.dmabuf.heap.linux.PlainSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionLayout.Exports;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.tck.RandomUse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests that use sources of dma-bufs at random. */
class RandomUseIT {
    private static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
    private static final long HUGE = 2L << 20;
    private static final long LARGEST = 256 << 10;

    private static String hugePages;

    private enum DeviceSource {
        DMA_HEAP(machine -> DmaHeapSource.open(HEAP, "system", machine.syscalls, machine.headroom)),
        UDMABUF(machine -> UdmabufSource.open(HEAP, machine.syscalls, machine.headroom)),
        POOLED_UDMABUF(machine -> PlainSource.pooled(machine, UDMABUF.opening.apply(machine))),
        REGION(machine -> PlainSource.region(machine, region())),
        REGION_ON_HUGE_PAGES(machine -> PlainSource.region(machine, region().withPageSize(HUGE))),
        EMULATED_CMA(machine -> PlainSource.emulatedCma(machine, Exports.UDMABUF));

        private final Function<FaultyMachine, MemorySource> opening;

        DeviceSource(Function<FaultyMachine, MemorySource> opening) {
            this.opening = opening;
        }

        private static RegionLayout region() {
            return RegionLayout.of(PlainSource.SIZE, "size").withExports(Exports.UDMABUF);
        }
    }

    /** Pages for one region, and for earlier regions that still have buffers when the next is opened. */
    @BeforeAll
    static void huge_pages_are_reserved() throws IOException {
        hugePages = Files.readString(HUGE_PAGES);
        Files.writeString(HUGE_PAGES, "40");
        assertEquals("40", Files.readString(HUGE_PAGES).strip());
    }

    @AfterAll
    static void huge_pages_are_returned() throws IOException {
        Files.writeString(HUGE_PAGES, hugePages);
    }

    @ParameterizedTest
    @EnumSource(DeviceSource.class)
    void random_use_with_faults_returns_every_descriptor_mapping_byte_and_thread(DeviceSource source) {
        new RandomUse(LARGEST, source.opening).run(source.name());
    }
}
