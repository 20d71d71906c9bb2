// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.RecordedBrokerEvents;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.dmabuf.heap.spi.DeviceDemands;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PlannerTest {
    private static final AllocationRequest REQUEST =
            AllocationRequest.of(614_400).forDevices("/dev/video0", "/dev/dri/card0");
    private static final String CAMERA = "org.example.camera";

    private static final Map<String, Object> DMABUF = Map.of(HeapProperties.DMABUF, true);
    private static final Map<String, Object> CONTIGUOUS =
            Map.of(HeapProperties.DMABUF, true, HeapProperties.CONTIGUOUS, true, HeapProperties.ALIGNMENT, 1L << 20);

    private final BrokerParts broker = new BrokerParts();
    private final Map<String, List<Demand>> known = new HashMap<>();
    private final List<String> asked = new ArrayList<>();

    @AfterEach
    void close() {
        broker.close();
        for (RegisteredHeap heap : broker.registry.present()) {
            assertTrue(heap.gate().empty(), heap::toString);
            assertEquals(0, heap.account().buffers(), heap::toString);
        }
    }

    private void source(DeviceDemands source) {
        broker.sources.add(1, source, "org.example.devices");
    }

    /** Adds a source that knows these devices. */
    private void devices(String... demands) {
        Stream.of(demands)
                .map(Demand::parse)
                .forEach(demand -> known.computeIfAbsent(demand.who(), who -> new ArrayList<>())
                        .add(demand));
        source(device -> {
            asked.add(device);
            return known.getOrDefault(device, List.of());
        });
    }

    private void importing() {
        devices("/dev/video0 dmabuf=true", "/dev/dri/card0 dmabuf=true");
    }

    private AllocationPlan plan(AllocationRequest request) {
        return broker.planner.plan(broker.client, request);
    }

    private HeapException refusal(AllocationRequest request) {
        HeapException refusal = assertThrows(HeapException.class, () -> plan(request));
        assertEquals(
                refusal.errno(),
                assertThrows(HeapException.class, () -> broker.planner.allocate(broker.client, request))
                        .errno());
        return refusal;
    }

    private String servedBy(AllocationRequest request) {
        try (BufferReference buffer = broker.planner.allocate(broker.client, request)) {
            return buffer.heapName();
        }
    }

    private static String servedBy(AllocationPlan plan) {
        try (DmaBuf buffer = plan.allocate()) {
            return buffer.heapName();
        }
    }

    @Test
    void two_devices_get_memory_that_both_can_use() {
        broker.heap("memfd", new FakeHeap());
        broker.heap("system", new FakeHeap(), DMABUF);
        broker.heap("cma", new FakeHeap(), CONTIGUOUS);
        devices("/dev/video0 dmabuf=true", "/dev/dri/card0 dmabuf=true", "/dev/dri/card0 sg=contiguous of_node");
        AllocationPlan plan = plan(REQUEST);
        assertEquals(List.of("cma"), plan.heaps());
        assertEquals("cma", servedBy(plan));
        assertEquals("cma", servedBy(REQUEST));
        assertEquals(known.get("/dev/video0"), plan.demands().subList(0, 1));
        assertEquals(3, plan.demands().size());
        assertSame(REQUEST, plan.request());
    }

    @Test
    void an_equal_request_asks_the_sources_again_after_ten_seconds() {
        long[] now = {Long.MAX_VALUE - 1};
        Planner planner = new Planner(broker.registry, broker.absent, broker.allocator, broker.sources, () -> now[0]);
        importing();
        broker.heap("system", new FakeHeap(), DMABUF);
        for (int nanos : new int[] {0, 1_000_000_000, 2_000_000_000}) {
            now[0] += nanos;
            planner.allocate(broker.client, REQUEST).close();
        }
        assertEquals(2, asked.size(), "each device once");
        now[0] += 7_000_000_000L;
        planner.allocate(broker.client, REQUEST).close();
        assertEquals(4, asked.size(), "the format may have changed");
    }

    @Test
    void a_plan_keeps_no_heap_that_has_left() {
        importing();
        RegisteredHeap[] heap = {broker.heap("system", new FakeHeap(), DMABUF)};
        AllocationPlan plan = plan(REQUEST);
        assertEquals("system", servedBy(plan));
        assertEquals("system", servedBy(REQUEST)); // this plan is kept by the planner
        WeakReference<HeapExporter> exporter = new WeakReference<>(heap[0].exporter());
        broker.remove(heap[0]);
        heap[0] = null;
        Await.untilCollected("the exporter is collected", () -> exporter.refersTo(null));
        assertEquals(REQUEST, plan.request());
    }

    @Test
    void the_heap_gets_the_shaped_request() {
        FakeHeap heap = new FakeHeap();
        Map<String, Object> readOnly = new HashMap<>(CONTIGUOUS);
        readOnly.put(HeapProperties.EXPORT_READONLY, true);
        broker.heap("cma", heap, readOnly);
        devices(
                "/dev/video0 granule=48K",
                "/dev/video0 buffers=4",
                "/dev/dri/card0 alignment=64K",
                "/dev/dri/card0 buffers=2",
                "/dev/dri/card0 readonly=true");
        AllocationPlan plan = plan(REQUEST.withName("frame"));
        plan.allocate().close();
        servedBy(REQUEST.withName("other").withAlignment(1 << 20));
        servedBy(REQUEST.withExport(ExportMode.NONE));
        HeapRequest first = heap.asked().get(0);
        assertEquals(638_976, first.size());
        assertEquals(65_536, first.alignment());
        assertEquals(ExportMode.READ_ONLY, first.export());
        assertEquals("frame", first.name().orElseThrow());
        assertEquals("other", heap.asked().get(1).name().orElseThrow());
        assertEquals(1 << 20, heap.asked().get(1).alignment());
        assertEquals(ExportMode.NONE, heap.asked().get(2).export());
        assertTrue(heap.asked().get(2).name().isEmpty());
        assertEquals(638_976, plan.size());
        assertEquals(6, plan.buffers());
    }

    @Test
    void a_plan_allocates_several_buffers_from_one_heap() {
        broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        AllocationPlan plan = plan(REQUEST);
        List<DmaBuf> buffers = plan.allocate(3);
        assertEquals(3, buffers.size());
        buffers.forEach(DmaBuf::close);
        assertThrows(IllegalArgumentException.class, () -> plan.allocate(0));
    }

    @Test
    void a_plan_asks_the_sources_once_and_follows_the_heaps() {
        RegisteredHeap system = broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        AllocationPlan plan = plan(REQUEST);
        assertEquals("system", servedBy(plan));
        Map<String, Object> better = new HashMap<>(DMABUF);
        better.put(HeapProperties.PRIORITY, 5);
        RegisteredHeap other = broker.heap("other", new FakeHeap(), better);
        assertEquals("other", servedBy(plan), "a heap that arrives");
        broker.registry.changed(
                other.service(), () -> Map.of(HeapProperties.NAME, "other", HeapProperties.PRIORITY, 5));
        assertEquals(List.of("system"), plan.heaps(), "a heap that changes");
        assertEquals("system", servedBy(plan));
        broker.remove(system);
        HeapException gone = assertThrows(HeapException.class, plan::allocate, "a heap that leaves");
        assertEquals(Errno.ENODEV, gone.errno());
        assertTrue(gone.conflict().isPresent());
        broker.heap("system", new FakeHeap(), DMABUF);
        assertEquals("system", servedBy(plan), "a heap that returns");
        assertEquals(List.of("/dev/video0", "/dev/dri/card0"), asked);
    }

    @Test
    void a_repeated_request_asks_the_sources_again_only_after_a_change_of_them() {
        broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        for (int i = 0; i < 3; i++) {
            servedBy(REQUEST.withName("frame " + i).withTimeout(Duration.ofMillis(i)));
        }
        assertEquals(List.of("/dev/video0", "/dev/dri/card0"), asked);
        servedBy(REQUEST.withSize(4096));
        assertEquals(4, asked.size(), "another request");
        broker.sources.changed();
        servedBy(REQUEST);
        assertEquals(6, asked.size(), "a source that changes");
        broker.sources.add(2, device -> List.of(Demand.parse(device + " sg=contiguous")), "org.example.more");
        assertTrue(refusal(REQUEST).conflict().isPresent(), "a source that arrives");
        broker.sources.remove(2);
        assertEquals("system", servedBy(REQUEST), "a source that leaves");
    }

    @Test
    void a_refusal_names_the_demands_where_they_were_read_and_the_remedies() {
        broker.heap("system", new FakeHeap(), DMABUF);
        broker.heap("memfd", new FakeHeap(), Map.of(HeapProperties.EXPORT_READONLY, true));
        devices("/dev/video0 dmabuf=true VIDIOC_CREATE_BUFS", "/dev/dri/card0 dmabuf=true");
        HeapException refusal = refusal(REQUEST.withDemands(Demand.parse("peer readonly=true")));
        DemandConflict conflict = refusal.conflict().orElseThrow();
        assertFalse(conflict.isContradiction());
        assertEquals(
                "plan for a buffer of 600 KiB failed: no serving heap meets dmabuf=true of /dev/dri/card0 and"
                        + " readonly=true of peer; without dmabuf of /dev/dri/card0: no serving heap either; without"
                        + " readonly of peer: system",
                refusal.getMessage());
        assertEquals(
                List.of(
                        "memfd: ENODEV, it does not meet dmabuf=true",
                        "system: ENODEV, it does not meet readonly=true"),
                refusal.attempts().stream().map(Object::toString).sorted().toList());
        assertEquals(2, broker.client.account().failures().byCause().get(Errno.ENODEV));
    }

    @Test
    void a_plan_lists_the_heaps_that_it_does_not_use_with_the_reasons() {
        broker.heap("memfd", new FakeHeap());
        broker.heap("system", new FakeHeap(), DMABUF);
        broker.heap("small", new FakeHeap(), Map.of(HeapProperties.DMABUF, true, HeapProperties.SIZE_MAX, 4096L));
        broker.heap("limited", new FakeHeap(), Map.of(HeapProperties.DMABUF, true, HeapProperties.SIZE_MAX, 1L << 20));
        broker.heap("secure", new FakeHeap(), Map.of(HeapProperties.PROTECTED, true));
        devices("/dev/video0 dmabuf=true", "/dev/dri/card0 size.min=2M");
        assertEquals(
                List.of(
                        "limited: ENODEV, its largest buffer is 1 MiB",
                        "memfd: ENODEV, it does not meet dmabuf=true",
                        "secure: ENODEV, it is protected, and serves only requests that demand protected memory",
                        "small: ENODEV, its largest buffer is 4 KiB"),
                plan(REQUEST).refusals().stream().map(Object::toString).sorted().toList());
    }

    @Test
    void a_refusal_lists_the_heaps_that_the_request_excludes_too() {
        broker.heap("system", new FakeHeap(), DMABUF);
        broker.heap("secure", new FakeHeap(), Map.of(HeapProperties.PROTECTED, true));
        devices("/dev/video0 sg=contiguous", "/dev/dri/card0 dmabuf=true");
        assertEquals(
                List.of("secure", "system"),
                refusal(REQUEST).attempts().stream().map(Attempt::heap).toList());
    }

    @Test
    void the_demands_of_a_device_have_the_kinds_that_heaps_declare() {
        broker.heap("banked", new FakeHeap(), Map.of(HeapProperties.CONSTRAINT_KINDS, "bank one-of acme.bank"));
        devices("/dev/video0 bank=2", "/dev/video0 tile=7");
        List<Demand> demands = broker.planner.demands(broker.client, "/dev/video0");
        assertEquals(
                List.of(false, true),
                demands.stream().map(demand -> demand.kind().isUnknown()).toList());
        assertEquals(List.of(), broker.planner.demands(broker.client, "/dev/video1"));
    }

    @Test
    void a_refused_plan_is_recorded_when_it_is_made_and_when_it_is_solved_again() {
        RegisteredHeap heap = broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        AllocationPlan plan = plan(REQUEST);
        assertEquals(List.of(), broker.events.refusedPlans);
        broker.remove(heap);
        HeapException again = assertThrows(HeapException.class, plan::allocate);
        HeapException first = assertThrows(HeapException.class, () -> plan(REQUEST));
        assertEquals(
                List.of(again.getMessage(), first.getMessage()),
                broker.events.refusedPlans.stream()
                        .map(RecordedBrokerEvents.PlanRefused::reason)
                        .toList());
        assertEquals(REQUEST.devices(), broker.events.refusedPlans.getFirst().devices());
        assertEquals("ENODEV", broker.events.refusedPlans.getFirst().error());
    }

    @Test
    void a_contradiction_is_an_invalid_request() {
        broker.heap("system", new FakeHeap(), DMABUF);
        devices("/dev/video0 cpu=cached", "/dev/dri/card0 cpu=uncached");
        HeapException refusal = refusal(REQUEST);
        assertEquals(Errno.EINVAL, refusal.errno());
        assertTrue(refusal.conflict().orElseThrow().isContradiction());
        assertEquals(
                "the demands contradict each other",
                refusal.attempts().getFirst().reason());
    }

    @Test
    void a_device_that_no_source_knows_is_not_taken_for_easy() {
        broker.heap("system", new FakeHeap(), DMABUF);
        devices("/dev/video0 dmabuf=true");
        HeapException refusal = refusal(REQUEST);
        assertEquals(HeapRefusedException.class, refusal.getClass());
        assertTrue(
                refusal.getMessage().startsWith("the demands of device /dev/dri/card0 are unknown; "),
                refusal::getMessage);
    }

    @Test
    void all_sources_of_a_device_count() {
        broker.heap("system", new FakeHeap(), DMABUF);
        broker.heap("cma", new FakeHeap(), CONTIGUOUS);
        importing();
        broker.sources.add(2, device -> List.of(), "org.example.none");
        broker.sources.add(3, device -> List.of(Demand.parse(device + " sg=contiguous")), "org.example.more");
        assertEquals("cma", servedBy(REQUEST));
    }

    @Test
    void a_source_that_fails_fails_the_request_with_its_bundle() {
        broker.heap("system", new FakeHeap(), DMABUF);
        List<DeviceDemands> failing = List.of(
                device -> {
                    throw new IllegalStateException("gone");
                },
                device -> null,
                device -> {
                    List<Demand> broken = new ArrayList<>();
                    broken.add(null);
                    return broken;
                },
                device -> {
                    throw new LinkageError("gone");
                });
        for (DeviceDemands source : failing) {
            source(source);
            HeapException refusal = refusal(REQUEST);
            assertEquals(Errno.EIO, refusal.errno());
            assertTrue(refusal.getMessage().contains("bundle org.example.devices failed with "), refusal::getMessage);
            broker.sources.remove(1);
        }
        source(device -> {
            throw HeapException.of(Errno.EACCES, device + " cannot be opened; add the user to its group");
        });
        assertEquals(Errno.EACCES, refusal(REQUEST).errno());
    }

    @Test
    void an_accepted_emulation_meets_no_demand() {
        Map<String, Object> emulating = new HashMap<>(DMABUF);
        emulating.put(HeapProperties.EMULATES, "contiguous");
        broker.heap("cma", new FakeHeap(), emulating);
        devices("/dev/video0 sg=contiguous", "/dev/dri/card0 dmabuf=true");
        assertTrue(refusal(REQUEST.withEmulations("contiguous")).conflict().isPresent());
        assertTrue(refusal(REQUEST).getMessage().contains("withEmulations"), "the emulation is not even accepted");
        known.get("/dev/video0").set(0, Demand.parse("/dev/video0 dmabuf=true"));
        broker.sources.changed();
        assertEquals("cma", servedBy(REQUEST.withEmulations("contiguous")));
    }

    @Test
    void devices_restrict_names_masks_and_filters() {
        broker.heap("memfd", new FakeHeap(), Map.of(HeapProperties.ID, 1));
        broker.heap("a", new FakeHeap(), DMABUF);
        Map<String, Object> numbered = new HashMap<>(CONTIGUOUS);
        numbered.put(HeapProperties.ID, 2);
        broker.heap("b", new FakeHeap(), numbered);
        importing();
        assertEquals(
                List.of("b", "a"),
                plan(REQUEST.withHeaps("b", "memfd", "a", "unknown")).heaps());
        assertEquals(List.of("b"), plan(REQUEST.withMask(0b110)).heaps());
        assertEquals(
                List.of("b"),
                plan(REQUEST.withRequirement("(heap.contiguous=true)")).heaps());
        HeapException refusal = refusal(REQUEST.withHeaps("unknown"));
        assertTrue(refusal.conflict().isEmpty());
        assertTrue(refusal.getMessage().contains("there is no such heap"), refusal::getMessage);
        assertTrue(refusal(REQUEST.withHeaps("memfd")).conflict().isPresent());
    }

    @Test
    void of_equal_priority_the_least_scarce_heap_is_first() {
        Map<String, Object> first = new HashMap<>(CONTIGUOUS);
        first.put(HeapProperties.PRIORITY, 1);
        broker.heap("cma", new FakeHeap(), CONTIGUOUS);
        broker.heap("preferred", new FakeHeap(), first);
        broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        assertEquals(List.of("preferred", "system", "cma"), plan(REQUEST).heaps());
    }

    @Test
    void protected_memory_serves_only_requests_that_demand_it() {
        Map<String, Object> secure = Map.of(HeapProperties.DMABUF, true, HeapProperties.PROTECTED, true);
        broker.heap("secure", new FakeHeap(), secure);
        importing();
        assertTrue(refusal(REQUEST).getMessage().contains("it is protected"));
        assertEquals("secure", servedBy(REQUEST.withDemands(Demand.parse("player protected=true"))));
        assertEquals("secure", servedBy(REQUEST.withHeaps("secure")));
    }

    @Test
    void a_heap_whose_limit_is_below_its_granule_is_skipped_with_its_reason() {
        broker.heap(
                "chunks",
                new FakeHeap(),
                Map.of(
                        HeapProperties.DMABUF,
                        true,
                        HeapProperties.SIZE_MAX,
                        65_536L,
                        HeapProperties.SIZE_GRANULE,
                        1L << 20));
        importing();
        assertTrue(refusal(REQUEST.withSize(4096)).getMessage().contains("its largest buffer is 64 KiB"));
    }

    @Test
    void a_back_end_with_too_low_a_limit_is_skipped_with_its_reason() {
        Map<String, Object> limited = Map.of(HeapProperties.DMABUF, true, HeapProperties.SIZE_MAX, 65_536L);
        broker.heap("udmabuf", new FakeHeap(), limited);
        importing();
        assertTrue(refusal(REQUEST).getMessage().contains("its largest buffer is 64 KiB"));
        assertEquals("udmabuf", servedBy(REQUEST.withSize(4096)));
    }

    @Test
    void a_kind_is_known_while_a_heap_declares_it() {
        devices("/dev/video0 bank=2 etc/npu.cfg", "/dev/dri/card0 dmabuf=true");
        broker.heap("system", new FakeHeap(), DMABUF);
        String unknown = refusal(REQUEST).getMessage();
        assertTrue(
                unknown.contains("bank=2 of /dev/video0 (etc/npu.cfg; from bundle org.example.devices; no serving heap"
                        + " declares the kind bank)"),
                unknown);
        Map<String, Object> acme = Map.of(
                HeapProperties.DMABUF,
                true,
                HeapProperties.CONSTRAINT_KINDS,
                new String[] {"bank one-of acme.bank"},
                "acme.bank",
                2);
        RegisteredHeap heap = broker.heap("acme", new FakeHeap(), acme);
        AllocationPlan plan = plan(REQUEST);
        assertEquals("acme", servedBy(plan));
        RegisteredHeap other =
                broker.heap("other", new FakeHeap(), Map.of(HeapProperties.CONSTRAINT_KINDS, "bank at-most acme.bank"));
        assertTrue(refusal(REQUEST).getMessage().contains("heaps declare the kind bank differently: "));
        broker.remove(other);
        assertEquals("acme", servedBy(plan));
        known.get("/dev/video0").set(0, Demand.parse("/dev/video0 bank=a=b"));
        broker.sources.changed();
        assertTrue(refusal(REQUEST).getMessage().contains("invalid bank = 'a=b': expected words"));
        broker.remove(heap);
        assertThrows(HeapException.class, plan::allocate);
    }

    @Test
    void quota_and_permission_are_checked_with_each_allocation() {
        broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        AllocationPlan plan = plan(REQUEST);
        try (DmaBuf held = plan.allocate()) {
            broker.ledger.apply(BrokerParts.rules(
                    new String[] {"system=" + held.size()}, new String[0], new String[0], new String[0]));
            assertEquals(
                    Errno.ENOMEM,
                    assertThrows(HeapException.class, plan::allocate).errno());
        }
        assertEquals("system", servedBy(plan));
        broker.ledger.apply(BrokerParts.rules(
                new String[0], new String[0], new String[0], new String[] {"system=org.example.other"}));
        assertEquals(
                Errno.EACCES, assertThrows(HeapException.class, plan::allocate).errno());
        broker.ledger.apply(
                BrokerParts.rules(new String[0], new String[0], new String[0], new String[] {"system=" + CAMERA}));
        assertEquals("system", servedBy(plan));
    }

    @Test
    void a_full_heap_makes_way_only_for_a_heap_that_meets_the_demands() {
        FakeHeap memfd = new FakeHeap();
        broker.heap("memfd", memfd);
        broker.heap("cma", FakeHeap.refusing(Errno.ENOMEM, "cma", "it is full"), CONTIGUOUS);
        importing();
        AllocationPlan plan = plan(REQUEST);
        assertEquals(
                Errno.ENOMEM, assertThrows(HeapException.class, plan::allocate).errno());
        assertEquals(List.of(), memfd.asked());
        broker.heap("system", new FakeHeap(), DMABUF);
        assertEquals("system", servedBy(plan));
    }

    @Test
    void a_heap_that_changes_while_another_is_asked_is_not_taken_for_what_it_was() {
        AtomicReference<RegisteredHeap> second = new AtomicReference<>();
        FakeHeap changing = new FakeHeap();
        broker.heap(
                "first",
                new FakeHeap(request -> {
                    broker.registry.changed(second.get().service(), () -> Map.of(HeapProperties.NAME, "second"));
                    throw HeapException.of(Errno.ENOMEM, "first", "it is full");
                }),
                Map.of(HeapProperties.DMABUF, true, HeapProperties.PRIORITY, 1));
        second.set(broker.heap("second", changing, DMABUF));
        importing();
        AllocationPlan plan = plan(REQUEST);
        HeapException refusal = assertThrows(HeapException.class, plan::allocate);
        assertEquals(List.of(), changing.asked());
        assertTrue(refusal.getMessage().contains("second: it has changed since the plan"), refusal::getMessage);
    }

    @Test
    void a_wait_for_memory_also_finds_a_heap_that_arrives() {
        BufferReference held = broker.allocate(AllocationRequest.of(4096).withHeaps(memory("held")));
        broker.heap(
                "full",
                new FakeHeap(request -> {
                    if (broker.registry.routes().named("late") == null) {
                        broker.heap("late", new FakeHeap(), DMABUF);
                        held.close();
                    }
                    throw HeapException.of(Errno.ENOMEM, "full", "it is full");
                }),
                DMABUF);
        importing();
        assertEquals("late", servedBy(plan(REQUEST.withTimeout(Duration.ofSeconds(20)))));
    }

    @Test
    void a_wait_whose_heaps_no_longer_meet_the_demands_fails_once_with_the_conflict() {
        BufferReference held = broker.allocate(AllocationRequest.of(4096).withHeaps(memory("held")));
        AtomicReference<RegisteredHeap> full = new AtomicReference<>();
        full.set(broker.heap(
                "full",
                new FakeHeap(request -> {
                    broker.registry.changed(full.get().service(), () -> Map.of(HeapProperties.NAME, "full"));
                    held.close();
                    throw HeapException.of(Errno.ENOMEM, "full", "it is full");
                }),
                DMABUF));
        importing();
        AllocationPlan plan = plan(REQUEST.withTimeout(Duration.ofSeconds(20)));
        HeapException refusal = assertThrows(HeapException.class, plan::allocate);
        assertTrue(refusal.conflict().isPresent());
        assertEquals(
                Map.of(Errno.ENODEV, 1L), broker.client.account().failures().byCause());
    }

    private String memory(String name) {
        broker.heap(name, new FakeHeap(request -> new FakeMemory(request.size())));
        return name;
    }

    @Test
    void a_plan_ends_with_its_client() {
        broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        AllocationPlan plan = plan(REQUEST);
        broker.client.stop("bundle " + CAMERA + " has stopped");
        assertThrows(IllegalStateException.class, plan::allocate);
        assertThrows(IllegalStateException.class, () -> plan(REQUEST));
    }

    @Test
    void an_interrupted_thread_asks_no_source() {
        broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        Thread.currentThread().interrupt();
        try {
            assertEquals(
                    Errno.EINTR,
                    assertThrows(HeapException.class, () -> plan(REQUEST)).errno());
        } finally {
            assertTrue(Thread.interrupted());
        }
        assertEquals(List.of(), asked);
    }

    @Test
    void many_different_requests_do_not_fill_the_memory() {
        broker.heap("system", new FakeHeap(), DMABUF);
        importing();
        for (int i = 1; i <= 600; i++) {
            servedBy(REQUEST.withSize(i));
        }
        assertEquals(1200, asked.size());
        servedBy(REQUEST.withSize(600));
        assertEquals(1200, asked.size());
        servedBy(REQUEST.withSize(1));
        assertEquals(1202, asked.size(), "the oldest plans are dropped");
    }
}
