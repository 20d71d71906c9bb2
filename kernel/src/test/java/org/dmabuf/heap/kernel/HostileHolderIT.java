// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.adopted.AdoptedMemory;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of holders of a dma-buf that use all operations that the kernel permits. */
class HostileHolderIT {
    private static final long SIZE = 64 << 10;

    @TempDir
    Path folder;

    private static MemorySource open(String exporter) throws HeapException {
        return exporter.equals("system")
                ? DmaHeapSource.open("system", "system", Syscalls.linux(), Headroom.machine())
                : UdmabufSource.open("udmabuf", Syscalls.linux(), Headroom.machine());
    }

    @ParameterizedTest
    @CsvSource({"system, name", "udmabuf, name", "system, many", "udmabuf, many"})
    void the_end_of_a_holder_is_detected_whatever_it_did(String exporter, String how) throws IOException {
        AtomicInteger gone = new AtomicInteger();
        try (MemorySource source = open(exporter);
                HolderTracker peers = new HolderTracker()) {
            HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
            HolderWatch watch = peers.watch(exporter, SIZE, buffer.descriptor());
            OwnedFd fd = new Descriptors(Syscalls.linux()).duplicate(exporter, buffer.descriptor());
            try (HolderProcess holder = HolderProcess.start(folder, how, fd, SIZE)) {
                fd.close();
                buffer.release();
                watch.whenGone(gone::incrementAndGet);
                letPass(() -> peers.look() > 0);
                assertEquals(0, gone.get());
                holder.end("exit");
                await(() -> gone.get() == 1);
            }
        }
    }

    /** The kernel ends the device's access after 10 s. A CPU access that waited for the device would take as long. */
    @ParameterizedTest
    @ValueSource(strings = {"system", "udmabuf"})
    void adopted_memory_is_read_while_a_device_reads_it(String exporter) throws IOException {
        try (MemorySource source = open(exporter)) {
            HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
            OwnedFd fd = new Descriptors(Syscalls.linux()).duplicate(exporter, buffer.descriptor());
            AdoptedMemory adopted = AdoptedMemory.adopt(Syscalls.linux(), Headroom.machine(), false, fd, _ -> {});
            try (HolderProcess device = HolderProcess.start(folder, "fence", duplicate(adopted), SIZE)) {
                adopted.beginCpuAccess(Access.READ);
                adopted.endCpuAccess(Access.READ);
                assertEquals("reading", device.ask());
                adopted.beginCpuAccess(Access.WRITE);
                adopted.endCpuAccess(Access.WRITE);
            } finally {
                adopted.release();
                buffer.release();
            }
        }
    }

    private static OwnedFd duplicate(HeapBuffer buffer) {
        return new Descriptors(Syscalls.linux()).duplicate("", buffer.descriptor());
    }

    /** Waits for the time of a few queries of the kernel. */
    private static void letPass(BooleanSupplier over) {
        long end = System.nanoTime() + 500_000_000;
        while (System.nanoTime() < end && !over.getAsBoolean()) {
            Thread.onSpinWait();
        }
    }

    private static void await(BooleanSupplier condition) {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, "time limit exceeded");
            Thread.onSpinWait();
        }
    }
}
