// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapRequest;

/** Comparison of our path to the kernel's system heap with the same from C, on a machine that has that heap. */
final class DeviceGroup implements Group {
    private static final String HEAP = "system";
    private static final long[] SIZES = {4096, Sizes.MIB, 8 * Sizes.MIB, 32 * Sizes.MIB};
    private static final int O_RDWR_CLOEXEC = 0x80002;

    @Override
    public String name() {
        return "device";
    }

    @Override
    public String note() {
        return """
                The published loop on the kernel's system heap: allocations that are closed and not used. `C` is
                DMA_HEAP_IOCTL_ALLOC and close(2). `C, named` also sets the name and asks for the size, as ours does.
                A machine without the heap does not measure this; in the guest: `kernel/run bench/compare device`.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) {
        if (!Files.exists(Path.of(DmaHeapSource.FOLDER, HEAP))) {
            return List.of();
        }
        List<Row> rows = new ArrayList<>();
        Syscalls syscalls = Syscalls.linux();
        try (DmaHeapSource source = DmaHeapSource.open("bench", HEAP);
                OwnedFd node =
                        OwnedFd.of(syscalls.open(DmaHeapSource.FOLDER + HEAP, O_RDWR_CLOEXEC), syscalls::close)) {
            for (long size : SIZES) {
                int times = (int) Math.clamp(Sizes.MIB / size, 1, 50);
                HeapRequest request = HeapRequest.of(size);
                rows.add(rounds.run(
                        name(),
                        Sizes.name(size),
                        List.of(
                                Contender.of(
                                        "ours",
                                        times,
                                        () -> source.allocate(request).release()),
                                Contender.ofBatch("C", times, () -> Twin.dmaHeap(node.fd(), size, false, times)),
                                Contender.ofBatch(
                                        "C, named", times, () -> Twin.dmaHeap(node.fd(), size, true, times)))));
            }
        }
        return rows;
    }
}
