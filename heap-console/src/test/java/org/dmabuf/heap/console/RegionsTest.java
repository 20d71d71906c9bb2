// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.junit.jupiter.api.Test;

class RegionsTest {
    private static final HeapRequest REQUEST =
            HeapRequest.of(AllocationRequest.of(4096).withName("frame"), Optional.of(ClientId.of("uid", "1000")));

    private final AtomicLong now = new AtomicLong();
    private final Regions regions = new Regions(now::get);

    private static Map.Entry<Map<String, Object>, RegionMap> region(String heap, Consumer<RegionMap.Visitor> visits) {
        return Map.entry(Map.of("heap.name", heap), new RegionMap() {
            @Override
            public long size() {
                return 8192;
            }

            @Override
            public void forEachStretch(Visitor visitor) {
                visits.accept(visitor);
            }
        });
    }

    private static void show(RegionMap.Visitor visitor) {
        visitor.stretch(RegionMap.Stretch.of(0, 4096, RegionMap.State.USED, REQUEST));
        visitor.stretch(RegionMap.Stretch.of(4096, 4096, RegionMap.State.FREE));
    }

    private static List<Object> heaps(List<Map<String, Object>> shown) {
        return shown.stream().map(region -> region.get("heap")).toList();
    }

    @Test
    void a_region_has_its_stretches_with_their_buffers_and_clients() {
        assertEquals(
                List.of(Map.of(
                        "heap",
                        "camera",
                        "size",
                        8192L,
                        "stretches",
                        List.of(
                                Map.of(
                                        "offset",
                                        0L,
                                        "size",
                                        4096L,
                                        "state",
                                        "used",
                                        "buffer",
                                        "frame",
                                        "client",
                                        "uid:1000"),
                                Map.of("offset", 4096L, "size", 4096L, "state", "free")))),
                regions.of(List.of(region("camera", RegionsTest::show))));
    }

    @Test
    void a_region_that_fails_is_reported_and_the_others_are_shown() {
        List<Map<String, Object>> shown = regions.of(List.of(
                region("broken", _ -> {
                    throw new IllegalStateException("closed");
                }),
                region("camera", RegionsTest::show)));
        assertEquals(
                "reading the region failed: java.lang.IllegalStateException: closed",
                shown.getFirst().get("problem"));
        assertEquals("camera", shown.getLast().get("heap"));
        assertEquals(1, regions.of(List.of(region("camera", RegionsTest::show))).size());
    }

    @Test
    void while_a_region_hangs_other_requests_get_the_previous_reading() throws Exception {
        regions.of(List.of(region("camera", RegionsTest::show)));
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        CompletableFuture<?> stuck = CompletableFuture.runAsync(() -> regions.of(List.of(region("hung", _ -> {
            inside.countDown();
            try {
                end.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }))));
        try {
            inside.await();
            assertEquals(List.of("camera"), heaps(regions.of(List.of())));
            now.addAndGet(TimeUnit.SECONDS.toNanos(3));
            assertEquals(List.of("all", "camera"), heaps(regions.of(List.of())));
        } finally {
            end.countDown();
        }
        stuck.get(20, TimeUnit.SECONDS);
        assertEquals(List.of(), regions.of(List.of()));
    }
}
