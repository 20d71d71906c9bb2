// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static org.example.client.Gateway.CAPACITY;
import static org.example.client.Gateway.EMULATED;
import static org.example.client.Gateway.OWN;
import static org.example.client.Gateway.POOLED;
import static org.example.client.Gateway.REGION;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.spi.RegionMap;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.service.condition.Condition;

/** Checks of the vendor's heaps in listings. */
final class HeapChecks {
    private final Gateway gateway;

    HeapChecks(Gateway gateway) {
        this.gateway = gateway;
    }

    void run(Report report) {
        report.run("heaps are listed", this::heapsAreListed);
        report.run("a heap reports its memory", this::aHeapReportsItsMemory);
        report.run("heaps that do not serve say why", this::heapsThatDoNotServeSayWhy);
        report.run("a heap announces what it is", this::aHeapAnnouncesWhatItIs);
        report.run("a heap that serves has a condition", this::aHeapThatServesHasACondition);
        report.run("a region is shown", this::aRegionIsShown);
    }

    private void heapsAreListed() {
        for (String name : List.of(OWN, POOLED, REGION, EMULATED)) {
            HeapInfo heap = gateway.heap(name);
            Expect.same(HeapState.SERVING, heap.state());
            Expect.yes(heap.reason().isEmpty());
            Expect.same(name.equals(EMULATED), heap.plainRefusal().isPresent());
            Expect.same("org.example.vendor", heap.bundle());
            Expect.same("kept", heap.properties().get(HeapProperties.TYPE));
            Expect.same(name, heap.charged().heap().orElseThrow());
            Expect.yes(heap.charged().client().isEmpty());
            Expect.same(0L, heap.charged().liveBuffers() + heap.charged().lingeringBuffers());
        }
    }

    private void aHeapReportsItsMemory() {
        HeapInfo own = gateway.heap(OWN);
        Expect.yes(!own.usageAge().isNegative());
        Expect.same(CAPACITY, own.usage().capacity().orElseThrow());
        Expect.same(CAPACITY, own.usage().free().orElseThrow());
        Expect.same(CAPACITY, own.usage().largestFree().orElseThrow());
        Expect.same(0L, own.usage().quarantined().orElseThrow());
        Expect.same(0L, own.usage().inLargeFolios().orElseThrow());
        Expect.same(0.0, own.usage().fragmentation().orElseThrow());
        PoolUsage pool = own.usage().pools().getFirst();
        Expect.same("kept", pool.name());
        Expect.same(4096L, pool.bytes()); // from the test buffer of the heap
        Expect.same(0L, pool.hits());
        Expect.same(1L, pool.misses());
    }

    private void heapsThatDoNotServeSayWhy() {
        HeapInfo waiting = gateway.heap("kept-waiting");
        Expect.same(HeapState.WAITING, waiting.state());
        Expect.yes(waiting.reason().orElseThrow().contains("a device is missing; plug it in"));
        Expect.same("org.example.vendor", waiting.bundle());
        HeapInfo failed = gateway.heap("kept-failed");
        Expect.same(HeapState.FAILED, failed.state());
        Expect.yes(failed.reason().orElseThrow().contains("expected bytes"));
        Expect.yes(failed.usage().capacity().isEmpty());
    }

    private void aHeapAnnouncesWhatItIs() {
        Map<String, Object> region = gateway.heap(REGION).properties();
        Expect.same(REGION, region.get(HeapProperties.NAME));
        Expect.same("kept", region.get(HeapProperties.TYPE));
        Expect.same(52, region.get(HeapProperties.ID));
        Expect.same(-52, region.get(HeapProperties.PRIORITY));
        Expect.same(false, region.get(HeapProperties.CACHED));
        Expect.same(true, region.get(HeapProperties.MAPPABLE));
        Expect.same(false, region.get(HeapProperties.PROTECTED));
        Expect.same(false, region.get(HeapProperties.RESTRICTED));
        Expect.same(40, region.get(HeapProperties.DMA_BITS));
        Expect.same(CAPACITY, region.get(HeapProperties.QUOTA));
        Expect.yes(region.get(HeapProperties.PEERS) != null);
        Expect.yes(region.get(HeapProperties.BACKEND) instanceof String);
        Expect.yes(region.get(HeapProperties.DMABUF) instanceof Boolean);
        Expect.yes(region.get(HeapProperties.EXPORT_READONLY) instanceof Boolean);
        Expect.yes(region.get(HeapProperties.ALIGNMENT) instanceof Long);
        Expect.yes(region.get(HeapProperties.CONTIGUOUS_MAX) instanceof Long);
        Map<String, Object> emulated = gateway.heap(EMULATED).properties();
        Expect.same(false, emulated.get(HeapProperties.CONTIGUOUS));
        Expect.yes(emulated.get(HeapProperties.EMULATES) != null);
    }

    private void aHeapThatServesHasACondition() throws Exception {
        Expect.soon(1, () -> conditions(OWN).size());
        ServiceReference<Condition> condition = conditions(OWN).getFirst();
        Expect.same("kept", condition.getProperty(HeapProperties.TYPE));
        Expect.same(0, conditions("kept-waiting").size());
    }

    private List<ServiceReference<Condition>> conditions(String heap) throws InvalidSyntaxException {
        return List.copyOf(gateway.context()
                .getServiceReferences(
                        Condition.class,
                        "(&(" + Condition.CONDITION_ID + "=" + HeapProperties.CONDITION + ")(" + HeapProperties.NAME
                                + "=" + heap + "))"));
    }

    private void aRegionIsShown() throws Exception {
        ServiceReference<RegionMap> service = gateway.context()
                .getServiceReferences(RegionMap.class, "(" + HeapProperties.NAME + "=" + OWN + ")")
                .iterator()
                .next();
        RegionMap map = gateway.context().getService(service);
        Expect.same(CAPACITY, map.size());
        try (DmaBuf buffer = gateway.broker()
                .allocate(AllocationRequest.of(8192).withHeaps(OWN).withName("shown"))) {
            List<RegionMap.Stretch> shown = new ArrayList<>();
            map.forEachStretch(shown::add);
            RegionMap.Stretch used = shown.getFirst();
            Expect.same(0L, used.offset());
            Expect.same(buffer.size(), used.size());
            Expect.same(RegionMap.State.USED, used.state());
            Expect.same(gateway.client(), used.client().orElseThrow());
            Expect.same("shown", used.buffer().orElseThrow());
            Expect.same("shown", used.toMap().get("buffer"));
            RegionMap.Stretch free = shown.getLast();
            Expect.same(RegionMap.State.FREE, free.state());
            Expect.same(CAPACITY, free.offset() + free.size());
            Expect.yes(free.client().isEmpty() && free.buffer().isEmpty());
        }
        gateway.context().ungetService(service);
    }
}
