// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests of a region's special behaviour on huge pages, on any machine: the memfd has ordinary pages, and the pool is a
 * fake. The tests on a real kernel use real huge pages.
 */
class RegionOnHugePagesTest {
    private static final long MIB = 1 << 20;
    private static final long HUGE = 2 * MIB;
    private static final int ALL_HUGE_FLAGS = Memfd.MFD_HUGETLB | 0x3f << 26;

    @TempDir
    private Path pools;

    private final Syscalls kernel = (Syscalls) Proxy.newProxyInstance(
            Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                if (method.getName().equals("memfdCreate")) {
                    a[1] = (int) a[1] & ~ALL_HUGE_FLAGS;
                }
                return method.invoke(Syscalls.linux(), a);
            });

    @BeforeEach
    void create_a_pool_of_huge_pages() throws IOException {
        Path pool = Files.createDirectory(pools.resolve("hugepages-2048kB"));
        for (String file : new String[] {"nr_hugepages", "free_hugepages"}) {
            Files.writeString(pool.resolve(file), "2\n");
        }
        Files.writeString(pool.resolve("resv_hugepages"), "0\n");
    }

    @Test
    void a_range_behind_an_exported_memfd_is_free_again_when_the_last_peer_is_gone() {
        RegionLayout layout =
                RegionLayout.of(2 * HUGE, "its size").withPageSize(HUGE).withExports(RegionLayout.Exports.MEMFD);
        try (RegionSource source =
                RegionSource.open("camera", layout, kernel, Headroom.machine(), new HugePages(pools, pools))) {
            HeapBuffer unseen = source.allocate(HeapRequest.of(MIB));
            HeapBuffer seen = source.allocate(HeapRequest.of(MIB));
            try (OwnedFd _ = new Descriptors(Syscalls.linux()).duplicate("camera", seen.descriptor())) {
                unseen.release();
                seen.release();
                assertEquals(MIB, source.usage().quarantined().orElseThrow());
                assertEquals(2 * HUGE - MIB, source.usage().free().orElseThrow());
            }
            await(() -> source.usage().largestFree().orElseThrow() == 2 * HUGE);
            assertEquals(0, source.usage().quarantined().orElseThrow());
        }
    }

    /** On ordinary pages the range would get new pages. A huge page that is partly held cannot be replaced. */
    @Test
    void no_dma_buf_is_made_of_huge_pages_on_a_kernel_where_holders_can_keep_pages_unseen() {
        Syscalls old = (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(),
                new Class<?>[] {Syscalls.class},
                (proxy, method, a) -> switch (method.getName()) {
                    case "open" ->
                        Syscalls.linux().open(a[0].equals("/dev/udmabuf") ? "/dev/null" : (String) a[0], (int) a[1]);
                    case "udmabufCreate" -> new Memfd(Syscalls.linux()).create("dma-buf", "dma-buf", (long) a[4], 0);
                    case "dmaBufSync", "dmaBufSetName" -> 0;
                    default -> method.invoke(kernel, a);
                });
        RegionLayout layout = RegionLayout.of(2 * HUGE, "its size").withPageSize(HUGE);
        try (RegionSource source =
                RegionSource.open("camera", layout, old, Headroom.machine(), new HugePages(pools, pools))) {
            assertEquals(false, source.properties().get("heap.dmabuf"));
            assertTrue(source.passedOver().contains("Linux 6.11"), source.passedOver());
        }
        HeapException refusal = assertThrows(
                HeapException.class,
                () -> RegionSource.open(
                        "camera",
                        layout.withExports(RegionLayout.Exports.UDMABUF),
                        old,
                        Headroom.machine(),
                        new HugePages(pools, pools)));
        assertEquals(Errno.ENOTSUP, refusal.errno());
    }

    private static void await(BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, "it takes longer than half a minute");
            Thread.onSpinWait();
        }
    }
}
