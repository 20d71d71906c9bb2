// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.junit.jupiter.api.Test;

/**
 * Contract of any broker with its clients. A subclass makes the broker, and closes it after each case.
 *
 * <p>Every size is a multiple of 64 KiB, so that it is in whole pages on any machine.
 */
public abstract class ClientContract {
    private static final int SIZE = 65_536;
    private static final AllocationRequest REQUEST = AllocationRequest.of(SIZE).withName("frame");
    private static final Duration ENOUGH = Duration.ofSeconds(20);

    /**
     * Makes the broker of a client, with heaps whose memory can be mapped and exported. Called once in a case.
     *
     * @param heaps the service properties of each; {@code heap.quota} limits its charged memory
     * @return the broker; opening views is allowed
     */
    protected abstract HeapBroker broker(List<Map<String, Object>> heaps);

    /** {@return the monitor of that broker} */
    protected abstract HeapMonitor monitor();

    /**
     * Removes a heap.
     *
     * @param heap its name
     */
    protected abstract void leave(String heap);

    /**
     * Finds a publication, for another client if there are several.
     *
     * @param name as published
     * @return the service; empty if it does not exist
     */
    protected abstract Optional<PublishedBuffer> published(String name);

    private HeapBroker oneHeap() {
        return broker(List.of(heap("system")));
    }

    private static Map<String, Object> heap(String name) {
        return Map.of(HeapProperties.NAME, name);
    }

    private static Map<String, Object> heap(String name, long quota) {
        return Map.of(HeapProperties.NAME, name, HeapProperties.QUOTA, quota);
    }

    private static Map<String, Object> heap(String name, String property, Object value) {
        return Map.of(HeapProperties.NAME, name, property, value);
    }

    private static void eventually(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + ENOUGH.toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "it has not come about");
            Thread.sleep(5);
        }
    }

    private UsageRecord charged(String heap) {
        return monitor().usageByHeap().stream()
                .filter(record -> record.heap().equals(Optional.of(heap)))
                .findFirst()
                .orElseThrow();
    }

    private static List<String> attempts(HeapException failure) {
        return failure.attempts().stream()
                .map(attempt -> attempt.heap() + " " + attempt.errno())
                .toList();
    }

    @Test
    void a_heap_reports_why_it_refuses_a_plain_request() {
        HeapBroker broker = broker(List.of(
                heap("system"), heap("imitating", HeapProperties.EMULATES, List.of("contiguous", "protected"))));
        assertEquals(Optional.empty(), listed(broker, "system").plainRefusal());
        broker.allocate(REQUEST.withHeaps("system")).close();
        assertEquals(
                Optional.of("it serves only requests that permit emulation:"
                        + " withEmulations(\"contiguous\", \"protected\")"),
                listed(broker, "imitating").plainRefusal());
        assertThrows(HeapRefusedException.class, () -> broker.allocate(REQUEST.withHeaps("imitating")));
        broker.allocate(REQUEST.withHeaps("imitating").withEmulations("contiguous", "protected"))
                .close();
    }

    private static HeapInfo listed(HeapBroker broker, String heap) {
        return broker.heaps().stream()
                .filter(info -> info.name().equals(heap))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void a_heap_without_a_required_property_reports_which_heaps_have_it() {
        HeapBroker broker = broker(List.of(
                heap("system"),
                heap("chunks", HeapProperties.ALIGNMENT, 1L << 20),
                heap("blocks", HeapProperties.ALIGNMENT, 1L << 16)));
        AllocationRequest request = REQUEST.withHeaps("system").withAlignment(1 << 16);
        HeapException refusal = assertThrows(HeapRefusedException.class, () -> broker.allocate(request));
        assertTrue(refusal.getMessage().endsWith("; serving heaps that do: chunks, blocks"), refusal.getMessage());
        HeapException further =
                assertThrows(HeapRefusedException.class, () -> broker.allocate(request.withAlignment(1 << 21)));
        assertTrue(further.getMessage().endsWith("; no serving heap does"), further.getMessage());
    }

    // Routing

    @Test
    void heaps_are_asked_in_the_order_of_their_names() {
        HeapBroker broker = broker(List.of(heap("one"), heap("two")));
        try (DmaBuf buffer = broker.allocate(REQUEST.withHeaps("two", "one"))) {
            assertEquals("two", buffer.heapName());
        }
    }

    @Test
    void without_names_the_highest_priority_is_asked_first() {
        HeapBroker broker = broker(List.of(
                heap("last", HeapProperties.PRIORITY, -1), heap("first", HeapProperties.PRIORITY, 1), heap("middle")));
        try (DmaBuf buffer = broker.allocate(REQUEST)) {
            assertEquals("first", buffer.heapName());
        }
        assertEquals(
                List.of("first", "middle", "last"),
                broker.heaps().stream().map(info -> info.name()).toList());
    }

    @Test
    void a_mask_chooses_by_id_and_of_equal_priority_the_highest() {
        HeapBroker broker = broker(List.of(
                heap("three", HeapProperties.ID, 3),
                heap("sixty-three", HeapProperties.ID, 63),
                heap("five", HeapProperties.ID, 5)));
        try (DmaBuf buffer = broker.allocate(REQUEST.withMask(1L << 3 | 1L << 5))) {
            assertEquals("five", buffer.heapName());
        }
        try (DmaBuf buffer = broker.allocate(REQUEST.withMask(1L << 63))) {
            assertEquals("sixty-three", buffer.heapName());
        }
        HeapException none = assertThrows(HeapRefusedException.class, () -> broker.allocate(REQUEST.withMask(1)));
        assertEquals(Errno.ENODEV, none.errno());
        assertEquals(List.of(), none.attempts());
    }

    @Test
    void a_heap_that_does_not_meet_the_requirement_is_skipped() {
        HeapBroker broker = broker(List.of(
                heap("scattered", HeapProperties.PRIORITY, 1), heap("camera", HeapProperties.CONTIGUOUS, true)));
        try (DmaBuf buffer = broker.allocate(REQUEST.withRequirement("(heap.contiguous=true)"))) {
            assertEquals("camera", buffer.heapName());
        }
    }

    @Test
    void a_property_that_is_absent_has_its_default_for_a_requirement() {
        HeapBroker broker = oneHeap();
        String defaults = "(&(heap.priority=0)(heap.dmabuf=false)(heap.contiguous=false)(heap.contiguous.max=4096)"
                + "(heap.cached=true)(heap.protected=false)(heap.mappable=true)(heap.restricted=false)"
                + "(heap.alignment=4096)(!(heap.id=*)))";
        broker.allocate(REQUEST.withRequirement(defaults)).close();
    }

    @Test
    void an_emulation_serves_only_those_that_accept_it() {
        HeapBroker broker = broker(List.of(heap("cma", HeapProperties.EMULATES, "contiguous")));
        HeapException refused = assertThrows(HeapRefusedException.class, () -> broker.allocate(REQUEST));
        assertTrue(refused.getMessage().contains("withEmulations(\"contiguous\")"), refused.getMessage());
        AllocationRequest accepting = REQUEST.withEmulations("contiguous").withRequirement("(heap.contiguous=true)");
        broker.allocate(accepting).close();
    }

    private static Map<String, Object> heap(String name, Map<String, Object> more) {
        Map<String, Object> properties = new HashMap<>(more);
        properties.put(HeapProperties.NAME, name);
        return properties;
    }

    @Test
    void demands_choose_the_heaps_and_shape_the_buffer() {
        HeapBroker broker = broker(List.of(
                heap("plain", Map.of(HeapProperties.PRIORITY, 3)),
                heap("big", Map.of(HeapProperties.PRIORITY, 2, HeapProperties.CONTIGUOUS, true)),
                heap("low", Map.of(HeapProperties.PRIORITY, 1, HeapProperties.CONTIGUOUS, true))));
        AllocationRequest request = REQUEST.withDemands(
                Demand.parse("camera sg=contiguous"),
                Demand.parse("camera buffers=3"),
                Demand.parse("display size.min=64K"),
                Demand.parse("display granule=192K"),
                Demand.parse("display buffers=2"));
        AllocationPlan plan = broker.plan(request);
        assertEquals(List.of("big", "low"), plan.heaps());
        assertEquals(
                List.of("plain"), plan.refusals().stream().map(Attempt::heap).toList());
        assertEquals(List.of(), broker.demandsOf("/dev/absent"));
        assertEquals(3 * SIZE, plan.size());
        assertEquals(5, plan.buffers());
        assertEquals(request.demands(), plan.demands());
        try (DmaBuf planned = plan.allocate();
                DmaBuf plain = broker.allocate(request)) {
            assertEquals("big", planned.heapName());
            assertEquals("big", plain.heapName());
            assertEquals(3 * SIZE, planned.size());
        }
        List<DmaBuf> several = plan.allocate(2);
        assertEquals(
                List.of("big", "big"), several.stream().map(DmaBuf::heapName).toList());
        several.forEach(DmaBuf::close);
        assertThrows(IllegalArgumentException.class, () -> plan.allocate(0));
        leave("big");
        assertEquals(List.of("low"), plan.heaps());
        leave("low");
        assertTrue(assertThrows(HeapRefusedException.class, plan::allocate)
                .conflict()
                .isPresent());
    }

    @Test
    void a_conflict_is_the_smallest_set_of_demands_with_the_remedies() {
        HeapBroker broker = broker(
                List.of(heap("near", Map.of(HeapProperties.NUMA, 0)), heap("far", Map.of(HeapProperties.NUMA, 1))));
        AllocationRequest request = REQUEST.withDemands(
                Demand.parse("a numa=0,1"), Demand.parse("b numa=1,2"), Demand.parse("c mappable=true"));
        assertEquals(List.of("far"), broker.plan(request).heaps());
        AllocationRequest impossible = REQUEST.withDemands(
                Demand.parse("a numa=0"), Demand.parse("b numa=1,2"), Demand.parse("c mappable=true"));
        HeapException refusal = assertThrows(HeapRefusedException.class, () -> broker.allocate(impossible));
        assertEquals(Errno.EINVAL, refusal.errno());
        DemandConflict conflict = refusal.conflict().orElseThrow();
        assertTrue(conflict.isContradiction());
        assertEquals(impossible.demands().subList(0, 2), conflict.demands());
        assertEquals(List.of("far"), conflict.servingWithout(conflict.demands().getFirst()));
        assertEquals(List.of("near"), conflict.servingWithout(conflict.demands().getLast()));
        AllocationRequest unknown = REQUEST.withDemands(Demand.parse("a bank=0"), Demand.parse("a numa=0"));
        refusal = assertThrows(HeapRefusedException.class, () -> broker.plan(unknown));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(
                "bank",
                refusal.conflict().orElseThrow().demands().getFirst().kind().name());
    }

    @Test
    void a_demand_of_a_kind_that_a_heap_declares_chooses_that_heap_while_it_serves() {
        Map<String, Object> banked =
                Map.of(HeapProperties.CONSTRAINT_KINDS, List.of("bank one-of acme.bank"), "acme.bank", "2");
        HeapBroker broker = broker(List.of(heap("plain"), heap("banked", banked)));
        AllocationPlan plan = broker.plan(REQUEST.withDemands(Demand.parse("/dev/npu bank=2")));
        assertEquals(List.of("banked"), plan.heaps());
        plan.allocate().close();
        AllocationRequest elsewhere = REQUEST.withDemands(Demand.parse("/dev/npu bank=3"));
        assertEquals(
                Errno.ENODEV,
                assertThrows(HeapRefusedException.class, () -> broker.plan(elsewhere))
                        .errno());
        leave("banked");
        HeapException refusal = assertThrows(HeapRefusedException.class, plan::heaps);
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(
                "no serving heap declares the kind bank",
                refusal.conflict().orElseThrow().demands().getFirst().why());
    }

    @Test
    void a_demand_stays_unknown_if_heaps_declare_its_kind_differently() {
        HeapBroker broker = broker(List.of(
                heap("one", Map.of(HeapProperties.CONSTRAINT_KINDS, "bank one-of acme.bank", "acme.bank", "2")),
                heap("two", Map.of(HeapProperties.CONSTRAINT_KINDS, "bank at-least acme.bank", "acme.bank", 2))));
        AllocationRequest request = REQUEST.withDemands(Demand.parse("/dev/npu bank=2"));
        HeapException refusal = assertThrows(HeapRefusedException.class, () -> broker.plan(request));
        String why = refusal.conflict().orElseThrow().demands().getFirst().why();
        assertTrue(why.startsWith("heaps declare the kind bank differently"), why);
        leave("two");
        assertEquals(List.of("one"), broker.plan(request).heaps());
    }

    @Test
    void a_plan_has_protected_memory_only_if_the_request_demands_it_or_chooses_its_heaps() {
        HeapBroker broker = broker(List.of(
                heap("secure", Map.of(HeapProperties.PROTECTED, true, HeapProperties.PRIORITY, 1)), heap("open")));
        AllocationRequest request = REQUEST.withDemands(Demand.parse("camera granule=64K"));
        AllocationPlan plan = broker.plan(request);
        assertEquals(List.of("open"), plan.heaps());
        assertEquals(
                List.of("secure"), plan.refusals().stream().map(Attempt::heap).toList());
        assertEquals(
                List.of("secure"),
                broker.plan(request.withDemands(Demand.parse("display protected=true")))
                        .heaps());
        assertEquals(
                List.of("secure", "open"),
                broker.plan(request.withHeaps("secure", "open")).heaps());
        assertEquals(
                List.of("secure", "open"),
                broker.plan(request.withRequirement("(heap.alignment=4096)")).heaps());
        leave("open");
        HeapException refusal = assertThrows(HeapRefusedException.class, plan::heaps);
        assertEquals(List.of("secure ENODEV"), attempts(refusal));
    }

    @Test
    void demands_of_a_shape_that_no_buffer_has_contradict_each_other() {
        HeapBroker broker = oneHeap();
        Demand[] unaligned = {Demand.parse("camera alignment=48K")};
        Demand[] tooLarge = {
            Demand.parse("camera granule=" + (1L << 62)), Demand.parse("display size.min=" + ((1L << 62) + 1))
        };
        for (Demand[] demands : List.of(unaligned, tooLarge)) {
            HeapException refusal =
                    assertThrows(HeapRefusedException.class, () -> broker.plan(REQUEST.withDemands(demands)));
            assertEquals(Errno.EINVAL, refusal.errno());
            assertEquals(List.of(demands), refusal.conflict().orElseThrow().demands());
        }
    }

    @Test
    void memory_that_is_protected_is_neither_mapped_nor_exported_for_reading_only() {
        HeapBroker broker = oneHeap();
        for (String open : List.of("mappable=true", "cpu=cached,uncached", "readonly=true")) {
            List<Demand> demands = List.of(Demand.parse("display protected=true"), Demand.parse("writer " + open));
            HeapException refusal = assertThrows(
                    HeapRefusedException.class, () -> broker.plan(REQUEST.withDemands(demands.toArray(Demand[]::new))));
            assertEquals(Errno.EINVAL, refusal.errno(), open);
            assertEquals(demands, refusal.conflict().orElseThrow().demands());
        }
    }

    @Test
    void two_meanings_of_one_kind_contradict_each_other() {
        HeapBroker broker = broker(List.of(heap("banked", Map.of("acme.bank", 2))));
        Demand word = Demand.of("npu", ConstraintKind.oneOf("bank", "acme.bank"), "2", "one bundle");
        Demand number = Demand.of("dsp", ConstraintKind.atLeast("bank", "acme.bank"), "2", "another bundle");
        assertEquals(List.of("banked"), broker.plan(REQUEST.withDemands(word)).heaps());
        assertEquals(List.of("banked"), broker.plan(REQUEST.withDemands(number)).heaps());
        HeapException refusal =
                assertThrows(HeapRefusedException.class, () -> broker.plan(REQUEST.withDemands(word, number)));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(List.of(word, number), refusal.conflict().orElseThrow().demands());
    }

    @Test
    void what_two_sources_report_of_one_device_counts_once() {
        HeapBroker broker = broker(
                List.of(heap("near", Map.of(HeapProperties.NUMA, 0)), heap("far", Map.of(HeapProperties.NUMA, 1))));
        AllocationPlan plan = broker.plan(REQUEST.withDemands(
                Demand.parse("camera buffers=3 a file"),
                Demand.parse("camera buffers=4 the driver"),
                Demand.parse("display buffers=2")));
        assertEquals(6, plan.buffers());
        Demand first = Demand.parse("camera numa=0 a file");
        Demand other = Demand.parse("display numa=1");
        HeapException refusal = assertThrows(
                HeapRefusedException.class,
                () -> broker.plan(REQUEST.withDemands(first, Demand.parse("camera numa=0 the driver"), other)));
        DemandConflict conflict = refusal.conflict().orElseThrow();
        assertEquals(List.of(first, other), conflict.demands());
        assertEquals(List.of("far"), conflict.servingWithout(first));
    }

    @Test
    void a_demand_with_the_value_any_demands_nothing() {
        HeapBroker broker = broker(List.of(heap("plain", Map.of(HeapProperties.EXPORT_READONLY, false))));
        AllocationPlan plan = broker.plan(REQUEST.withDemands(
                Demand.parse("display readonly=any"),
                Demand.parse("display protected=any"),
                Demand.parse("display mappable=any")));
        assertEquals(List.of("plain"), plan.heaps());
        plan.allocate().close();
    }

    @Test
    void a_device_of_which_nothing_is_known_is_refused() {
        HeapBroker broker = broker(List.of(heap("a", Map.of())));
        AllocationRequest request = REQUEST.forDevices("/dev/unheard-of");
        assertEquals(
                Errno.ENODEV,
                assertThrows(HeapRefusedException.class, () -> broker.plan(request))
                        .errno());
        assertEquals(
                Errno.ENODEV,
                assertThrows(HeapRefusedException.class, () -> broker.allocate(request))
                        .errno());
    }

    @Test
    void an_alignment_above_the_heaps_is_refused() {
        HeapBroker broker = broker(List.of(heap("bytes", HeapProperties.ALIGNMENT, 512L), heap("pages")));
        try (DmaBuf buffer = broker.allocate(REQUEST.withHeaps("bytes", "pages").withAlignment(4096))) {
            assertEquals("pages", buffer.heapName());
        }
        HeapException refused = assertThrows(
                HeapRefusedException.class,
                () -> broker.allocate(REQUEST.withHeaps("pages").withAlignment(8192)));
        assertEquals(List.of("pages ENODEV"), attempts(refused));
    }

    @Test
    void a_heap_that_cannot_export_for_reading_only_is_skipped_for_it() {
        HeapBroker broker = broker(List.of(heap("system", HeapProperties.EXPORT_READONLY, false)));
        HeapException refused = assertThrows(
                HeapRefusedException.class, () -> broker.allocate(REQUEST.withExport(ExportMode.READ_ONLY)));
        assertEquals(Errno.ENODEV, refused.errno());
    }

    @Test
    void a_failure_lists_every_heap_with_its_own_reason() {
        HeapBroker broker = broker(List.of(heap("full", 0), heap("fine")));
        HeapException failure = assertThrows(
                HeapShortageException.class,
                () -> broker.allocate(REQUEST.withHeaps("gone", "full", "fine")
                        .withAlignment(4096)
                        .withRequirement("(!(heap.name=fine))")));
        assertEquals(List.of("gone ENODEV", "full ENOMEM", "fine ENODEV"), attempts(failure));
        assertEquals(Errno.ENOMEM, failure.errno());
        assertEquals(Optional.of("full"), failure.heap());
        for (Attempt attempt : failure.attempts()) {
            assertFalse(attempt.reason().isBlank());
            assertTrue(failure.getMessage().contains(attempt.reason()), failure.getMessage());
        }
        assertEquals(Map.of(Errno.ENOMEM, 1L), charged("full").failures());
    }

    @Test
    void a_full_heap_makes_way_for_the_next() {
        HeapBroker broker = broker(List.of(heap("small", SIZE), heap("large")));
        AllocationRequest request = REQUEST.withHeaps("small", "large");
        try (DmaBuf first = broker.allocate(request);
                DmaBuf second = broker.allocate(request)) {
            assertEquals("small", first.heapName());
            assertEquals("large", second.heapName());
        }
        try (DmaBuf third = broker.allocate(request)) {
            assertEquals("small", third.heapName());
        }
    }

    @Test
    void a_heap_that_has_left_is_not_asked_and_its_buffers_live_on() {
        HeapBroker broker = oneHeap();
        try (DmaBuf buffer = broker.allocate(REQUEST);
                Arena arena = Arena.ofConfined()) {
            leave("system");
            assertThrows(HeapRefusedException.class, () -> broker.allocate(REQUEST));
            buffer.map(Access.READ_WRITE, arena).fill((byte) 1);
            assertEquals(HeapState.DEPARTED, broker.heaps().getFirst().state());
        }
    }

    // Several buffers, time and interrupts

    @Test
    void several_buffers_come_from_one_heap_or_not_at_all() {
        HeapBroker broker = broker(List.of(heap("small", 2 * SIZE), heap("large", 4 * SIZE)));
        List<DmaBuf> all = broker.allocate(REQUEST.withHeaps("small", "large"), 3);
        assertEquals(
                List.of("large", "large", "large"),
                all.stream().map(DmaBuf::heapName).toList());
        HeapException failure = assertThrows(
                HeapShortageException.class, () -> broker.allocate(REQUEST.withHeaps("small", "large"), 3));
        assertEquals(List.of("small ENOMEM", "large ENOMEM"), attempts(failure));
        assertEquals(0, charged("small").liveBuffers());
        all.forEach(DmaBuf::close);
        assertThrows(IllegalArgumentException.class, () -> broker.allocate(REQUEST, 0));
        assertThrows(IllegalArgumentException.class, () -> broker.allocate(REQUEST, HeapBroker.MOST_AT_ONCE + 1));
    }

    @Test
    void a_request_with_time_waits_until_another_reference_is_closed() throws InterruptedException {
        HeapBroker broker = broker(List.of(heap("small", SIZE)));
        DmaBuf held = broker.allocate(REQUEST);
        AtomicReference<DmaBuf> got = new AtomicReference<>();
        Thread waiting = Thread.ofVirtual().start(() -> got.set(broker.allocate(REQUEST.withTimeout(ENOUGH))));
        eventually(() -> waiting.getState() == Thread.State.TIMED_WAITING);
        held.close();
        waiting.join();
        got.get().close();
    }

    @Test
    void a_wait_in_vain_ends_with_the_shortage() {
        HeapBroker broker = broker(List.of(heap("small", SIZE)));
        try (DmaBuf _ = broker.allocate(REQUEST)) {
            HeapException failure = assertThrows(
                    HeapShortageException.class, () -> broker.allocate(REQUEST.withTimeout(Duration.ofMillis(20))));
            assertTrue(failure.getMessage().contains("waited 20 ms"), failure.getMessage());
            assertEquals(Errno.ENOMEM, failure.errno());
        }
    }

    @Test
    void an_interrupt_ends_an_allocation_and_the_thread_stays_interrupted() {
        HeapBroker broker = oneHeap();
        Thread.currentThread().interrupt();
        HeapException failure = assertThrows(HeapException.class, () -> broker.allocate(REQUEST));
        assertTrue(Thread.interrupted());
        assertEquals(Errno.EINTR, failure.errno());
        assertEquals(List.of(), monitor().buffers());
    }

    // References

    @Test
    void memory_is_charged_until_its_last_reference_is_closed() {
        HeapBroker broker = oneHeap();
        DmaBuf first = broker.allocate(REQUEST);
        DmaBuf second = first.newReference();
        assertEquals(2, monitor().buffers().getFirst().references());
        first.close();
        first.close();
        assertEquals(1, charged("system").liveBuffers());
        assertEquals(SIZE, charged("system").liveBytes());
        second.close();
        assertEquals(0, charged("system").liveBytes());
        assertEquals(SIZE, charged("system").peakBytes());
        assertEquals(1, charged("system").allocations());
    }

    @Test
    void a_closed_reference_refuses_and_still_returns_its_values() {
        HeapBroker broker = oneHeap();
        DmaBuf buffer = broker.allocate(REQUEST);
        buffer.close();
        assertEquals(SIZE, buffer.size());
        assertEquals(Optional.of("frame"), buffer.name());
        assertEquals("system", buffer.heapName());
        assertEquals("system", buffer.heapProperties().get(HeapProperties.NAME));
        assertThrows(IllegalStateException.class, buffer::newReference);
        assertThrows(IllegalStateException.class, buffer::exportFd);
        assertThrows(IllegalStateException.class, buffer::inode);
        assertThrows(IllegalStateException.class, () -> buffer.beginCpuAccess(Access.READ));
        assertThrows(IllegalStateException.class, () -> buffer.map(Access.READ, Arena.ofAuto()));
        assertThrows(IllegalStateException.class, () -> broker.publish(buffer, "frame"));
    }

    @Test
    void a_cpu_access_holds_the_memory_until_it_is_closed() {
        HeapBroker broker = oneHeap();
        DmaBuf buffer = broker.allocate(REQUEST);
        CpuAccess access = buffer.beginCpuAccess(Access.READ_WRITE);
        buffer.close();
        assertEquals(1, monitor().buffers().getFirst().cpuAccesses());
        access.close();
        access.close();
        assertEquals(List.of(), monitor().buffers());
    }

    @Test
    void memory_that_no_device_uses_is_awaited_without_a_wait() {
        HeapBroker broker = oneHeap();
        DmaBuf buffer = broker.allocate(REQUEST);
        try (OwnedFd _ = buffer.exportFd()) {
            for (Access access : Access.values()) {
                buffer.awaitDevices(access, Duration.ZERO);
            }
            try (CpuAccess _ = buffer.beginCpuAccess(Access.READ, Duration.ofSeconds(Long.MAX_VALUE))) {
                assertEquals(1, monitor().buffers().getFirst().cpuAccesses());
            }
        }
        assertThrows(IllegalArgumentException.class, () -> buffer.awaitDevices(Access.READ, Duration.ofNanos(-1)));
        buffer.close();
        assertThrows(IllegalStateException.class, () -> buffer.awaitDevices(Access.READ, Duration.ZERO));
        assertThrows(IllegalStateException.class, () -> buffer.beginCpuAccess(Access.READ, Duration.ZERO));
    }

    // Mappings

    @Test
    void new_memory_is_zeroed_and_seen_alike_through_all_mappings() {
        HeapBroker broker = oneHeap();
        try (DmaBuf buffer = broker.allocate(REQUEST);
                Arena confined = Arena.ofConfined();
                Arena shared = Arena.ofShared()) {
            MemorySegment written = buffer.map(Access.READ_WRITE, confined);
            assertEquals(SIZE, written.byteSize());
            assertArrayEquals(new byte[SIZE], written.toArray(ValueLayout.JAVA_BYTE));
            written.set(ValueLayout.JAVA_BYTE, SIZE - 1, (byte) 42);
            MemorySegment read = buffer.map(Access.READ, shared);
            assertEquals(42, read.get(ValueLayout.JAVA_BYTE, SIZE - 1));
            assertTrue(read.isReadOnly());
            assertFalse(buffer.map(Access.WRITE, Arena.ofAuto()).isReadOnly());
        }
    }

    @Test
    void a_mapping_is_valid_until_its_arena_ends_and_holds_the_memory() throws InterruptedException {
        HeapBroker broker = oneHeap();
        MemorySegment segment;
        try (Arena arena = Arena.ofConfined()) {
            try (DmaBuf buffer = broker.allocate(REQUEST)) {
                segment = buffer.map(Access.READ_WRITE, arena);
            }
            segment.fill((byte) 7);
            assertEquals(1, monitor().buffers().getFirst().mappings());
            assertEquals(0, monitor().buffers().getFirst().references());
        }
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        eventually(() -> monitor().buffers().isEmpty());
    }

    @Test
    void an_arena_that_cannot_have_a_mapping_is_refused_and_nothing_stays_mapped() throws InterruptedException {
        HeapBroker broker = oneHeap();
        try (DmaBuf buffer = broker.allocate(REQUEST)) {
            HeapException global =
                    assertThrows(HeapRefusedException.class, () -> buffer.map(Access.READ, Arena.global()));
            assertEquals(Errno.EINVAL, global.errno());
            Arena closed = Arena.ofShared();
            closed.close();
            assertThrows(IllegalStateException.class, () -> buffer.map(Access.READ, closed));
            AtomicReference<Arena> foreign = new AtomicReference<>();
            Thread.ofPlatform().start(() -> foreign.set(Arena.ofConfined())).join();
            assertThrows(WrongThreadException.class, () -> buffer.map(Access.READ, foreign.get()));
            eventually(() -> monitor().buffers().getFirst().mappings() == 0);
        }
    }

    // Descriptors

    @Test
    void a_buffer_whose_descriptor_is_open_lingers() throws InterruptedException {
        HeapBroker broker = oneHeap();
        DmaBuf buffer = broker.allocate(REQUEST);
        assertTrue(buffer.inode().isPresent());
        OwnedFd first = buffer.exportFd();
        OwnedFd second = buffer.exportFd();
        assertNotEquals(first.fd(), second.fd());
        buffer.close();
        first.close();
        assertTrue(monitor().buffers().getFirst().lingering());
        assertEquals(1, charged("system").lingeringBuffers());
        assertEquals(0, charged("system").liveBuffers());
        second.close();
        eventually(() -> monitor().buffers().isEmpty());
    }

    @Test
    void a_buffer_without_export_has_no_descriptor() {
        HeapBroker broker = oneHeap();
        try (DmaBuf buffer = broker.allocate(REQUEST.withExport(ExportMode.NONE))) {
            HeapException refused = assertThrows(HeapRefusedException.class, buffer::exportFd);
            assertEquals(Errno.ENOTSUP, refused.errno());
            assertTrue(buffer.inode().isEmpty());
        }
    }

    // Publications and views

    @Test
    void a_publication_grants_reading_until_it_is_closed() {
        HeapBroker broker = oneHeap();
        Publication publication;
        try (DmaBuf buffer = broker.allocate(REQUEST)) {
            publication = broker.publish(buffer, "preview");
        }
        PublishedBuffer service = published("preview").orElseThrow();
        assertEquals(Access.READ, service.access());
        DmaBuf consumed = service.open();
        publication.close();
        publication.close();
        assertTrue(published("preview").isEmpty());
        assertThrows(IllegalStateException.class, service::open);
        try (consumed;
                DmaBuf another = consumed.newReference();
                Arena arena = Arena.ofConfined()) {
            assertTrue(consumed.map(Access.READ, arena).isReadOnly());
            assertEquals(Errno.EACCES, refusal(() -> consumed.map(Access.WRITE, arena)));
            assertEquals(Errno.EACCES, refusal(() -> consumed.beginCpuAccess(Access.READ_WRITE)));
            assertEquals(Errno.EACCES, refusal(() -> consumed.awaitDevices(Access.WRITE, Duration.ZERO)));
            assertEquals(Errno.EACCES, refusal(consumed::exportFd));
            assertEquals(Errno.EACCES, refusal(() -> another.map(Access.WRITE, arena)));
        }
    }

    private static Errno refusal(Runnable call) {
        return assertThrows(HeapRefusedException.class, call::run).errno();
    }

    @Test
    void an_invalid_publication_is_refused() {
        HeapBroker broker = oneHeap();
        try (DmaBuf buffer = broker.allocate(REQUEST);
                Publication _ = broker.publish(buffer, "preview", Access.READ_WRITE)) {
            assertEquals(Access.READ_WRITE, published("preview").orElseThrow().access());
            assertThrows(IllegalArgumentException.class, () -> broker.publish(buffer, " "));
            assertThrows(IllegalArgumentException.class, () -> broker.publish(buffer, "x", Access.WRITE));
        }
    }

    @Test
    void a_view_is_charged_by_itself_and_takes_everything_back() throws InterruptedException {
        HeapBroker broker = oneHeap();
        ClientId user = ClientId.of("uid", "1000");
        ClientView view = broker.openView(user, "process 7 of camera-app");
        DmaBuf buffer = view.allocate(REQUEST);
        OwnedFd descriptor = buffer.exportFd();
        CpuAccess access = buffer.beginCpuAccess(Access.READ);
        view.publish(buffer, "preview");
        assertEquals(user, view.client());
        assertEquals(user, monitor().buffers().getFirst().client());
        assertEquals(
                Optional.of("process 7 of camera-app"),
                monitor().buffers().getFirst().origin());
        view.close();
        view.close();
        eventually(() -> monitor().buffers().isEmpty());
        assertTrue(published("preview").isEmpty());
        assertThrows(IllegalStateException.class, descriptor::fd);
        assertThrows(IllegalStateException.class, buffer::newReference);
        assertThrows(IllegalStateException.class, () -> view.allocate(REQUEST));
        access.close();
        assertThrows(IllegalArgumentException.class, () -> broker.openView(ClientId.ofBundle("a", "b")));
    }
}
