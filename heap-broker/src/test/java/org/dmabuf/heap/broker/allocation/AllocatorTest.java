// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.RecordedBrokerEvents;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class AllocatorTest {
    private static final AllocationRequest REQUEST = AllocationRequest.of(12 << 20);

    private final BrokerParts broker = new BrokerParts();

    @AfterEach
    void no_call_is_left_inside_a_heap() {
        for (RegisteredHeap heap : broker.registry.present()) {
            assertTrue(heap.gate().empty(), heap::toString);
        }
        broker.close();
        for (RegisteredHeap heap : broker.registry.present()) {
            assertEquals(0, heap.account().buffers(), heap::toString);
        }
    }

    private FakeHeap serving(String name, Map<String, ?> properties) {
        FakeHeap heap = new FakeHeap();
        broker.heap(name, heap, properties);
        return heap;
    }

    private FakeHeap refusing(String name, Errno errno, Map<String, ?> properties) {
        FakeHeap heap = FakeHeap.refusing(errno, name, errno.meaning());
        broker.heap(name, heap, properties);
        return heap;
    }

    private static Map<String, Object> id(int id, int priority) {
        return Map.of(HeapProperties.ID, id, HeapProperties.PRIORITY, priority);
    }

    private HeapException refusal(AllocationRequest request) {
        return assertThrows(HeapException.class, () -> broker.allocate(request));
    }

    private static List<String> attempts(HeapException refusal) {
        return refusal.attempts().stream().map(Attempt::toString).toList();
    }

    private static List<String> asked(HeapException refusal) {
        return refusal.attempts().stream().map(Attempt::heap).toList();
    }

    @Test
    void heaps_are_asked_in_the_order_of_the_names() {
        refusing("one", Errno.ENOMEM, id(1, 9));
        refusing("two", Errno.ENOMEM, id(2, 5));
        serving("three", id(3, 0));
        assertEquals(
                "three",
                broker.allocate(REQUEST.withHeaps("two", "one", "three")).heapName());
        assertEquals(List.of("two", "one"), asked(refusal(REQUEST.withHeaps("two", "one"))));
    }

    /** A quota makes the call take the account's monitor, which delays it between the gate and the heap. */
    @Test
    void a_call_that_is_delayed_inside_the_gate_until_its_close_enters_no_heap() throws InterruptedException {
        FakeHeap heap = new FakeHeap();
        RegisteredHeap registered = broker.heap("camera", heap, Map.of(HeapProperties.QUOTA, 64L << 20));
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread caller = Thread.ofPlatform().unstarted(() -> {
            try {
                broker.allocate(REQUEST.withHeaps("camera"));
            } catch (RuntimeException | Error e) {
                thrown.set(e);
            }
        });
        synchronized (registered.account()) {
            caller.start();
            Await.until("the call is held up", () -> caller.getState() == Thread.State.BLOCKED);
            assertEquals(1, registered.gate().close(0), "it is inside");
        }
        caller.join();
        assertEquals(List.of(), heap.asked());
        HeapException refusal = assertInstanceOf(HeapException.class, thrown.get());
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(0, registered.account().bytes());
    }

    @Test
    void only_named_heaps_are_asked() {
        FakeHeap other = serving("other", id(1, 9));
        refusing("camera", Errno.ENOMEM, id(2, 0));
        refusal(REQUEST.withHeaps("camera"));
        assertEquals(List.of(), other.asked());
    }

    @Test
    void heaps_of_a_mask_are_asked_by_priority_and_then_from_the_highest_id() {
        refusing("low", Errno.ENOMEM, id(63, -1));
        refusing("high", Errno.ENOMEM, id(0, 5));
        refusing("thirty-one", Errno.ENOMEM, id(31, 0));
        refusing("thirty-two", Errno.ENOMEM, id(32, 0));
        FakeHeap outside = serving("outside", id(7, 9));
        assertEquals(
                List.of("high", "thirty-two", "thirty-one", "low"),
                asked(refusal(REQUEST.withMask(1L << 63 | 1L << 32 | 1L << 31 | 1))));
        assertEquals(List.of("low"), asked(refusal(REQUEST.withMask(Long.MIN_VALUE))));
        assertEquals(List.of(), outside.asked());
        assertEquals("outside", broker.allocate(REQUEST.withMask(1 << 7)).heapName());
    }

    @Test
    void a_request_that_names_no_heap_asks_all_in_order() {
        refusing("plain", Errno.ENODEV, Map.of());
        refusing("high", Errno.ENOMEM, id(1, 5));
        FakeHeap last = serving("last", Map.of(HeapProperties.PRIORITY, -1));
        assertEquals("last", broker.allocate(REQUEST).heapName());
        assertEquals(1, last.asked().size());
        assertEquals(12 << 20, last.asked().getFirst().size());
        broker.registry.leaving(3);
        assertEquals(List.of("high", "plain"), asked(refusal(REQUEST)));
    }

    @Test
    void the_first_heap_that_returns_a_buffer_ends_the_search() {
        FakeHeap first = serving("first", id(1, 9));
        FakeHeap second = serving("second", id(2, 0));
        broker.allocate(REQUEST);
        broker.allocate(REQUEST.withHeaps("first", "second"));
        broker.allocate(REQUEST.withMask(-1));
        assertEquals(3, first.asked().size());
        assertEquals(List.of(), second.asked());
    }

    @ParameterizedTest
    @EnumSource(Errno.class)
    void only_enomem_and_enodev_lead_to_the_next_heap(Errno errno) {
        refusing("one", errno, Map.of());
        FakeHeap two = serving("two", Map.of());
        if (errno == Errno.ENOMEM || errno == Errno.ENODEV) {
            assertEquals("two", broker.allocate(REQUEST.withHeaps("one", "two")).heapName());
        } else {
            HeapException refusal = refusal(REQUEST.withHeaps("one", "two"));
            assertEquals(errno, refusal.errno());
            assertEquals(Optional.of("one"), refusal.heap());
            assertEquals("heap 'one': " + errno.meaning(), refusal.getMessage());
            assertEquals(List.of("one: " + errno + ", " + errno.meaning()), attempts(refusal));
            assertEquals(List.of(), two.asked());
        }
    }

    @Test
    void a_heap_that_is_leaving_is_skipped_for_the_next() {
        RegisteredHeap leaving = broker.heap("leaving", new FakeHeap());
        serving("stays", Map.of());
        leaving.gate().close(0);
        assertEquals(
                "stays", broker.allocate(REQUEST.withHeaps("leaving", "stays")).heapName());
        HeapException refusal = refusal(REQUEST.withHeaps("leaving"));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(Optional.of("leaving"), refusal.heap());
        assertEquals(
                "heap 'leaving': no buffer of 12 MiB: it is leaving and accepts no more requests",
                refusal.getMessage());
    }

    @Test
    void a_refusal_that_ends_the_search_lists_the_earlier_heaps_too() {
        refusing("one", Errno.ENOMEM, Map.of());
        refusing("two", Errno.EACCES, Map.of());
        HeapException refusal = refusal(REQUEST.withHeaps("one", "two"));
        assertEquals(Errno.EACCES, refusal.errno());
        assertEquals(Optional.of("two"), refusal.heap());
        assertEquals(
                "no heap gave a buffer of 12 MiB. one: cannot allocate memory; two: permission denied",
                refusal.getMessage());
        assertEquals(
                List.of("one: ENOMEM, cannot allocate memory", "two: EACCES, permission denied"), attempts(refusal));
        assertEquals("heap 'two': permission denied", refusal.getCause().getMessage());
    }

    @Test
    void heaps_that_do_not_meet_the_request_are_skipped_with_a_reason() {
        List<FakeHeap> unfit = List.of(
                serving("unaligned", Map.of()),
                serving("leaky", Map.of(HeapProperties.ALIGNMENT, 65536L)),
                serving(
                        "imitating",
                        Map.of(
                                HeapProperties.EMULATES,
                                new String[] {"protected", "contiguous"},
                                HeapProperties.ALIGNMENT,
                                65536L,
                                HeapProperties.EXPORT_READONLY,
                                true)),
                serving("scattered", Map.of(HeapProperties.ALIGNMENT, 65536L, HeapProperties.EXPORT_READONLY, true)));
        AllocationRequest request =
                REQUEST.withAlignment(65536).withExport(ExportMode.READ_ONLY).withRequirement("(heap.contiguous=true)");
        HeapException refusal = refusal(request.withHeaps("unaligned", "leaky", "imitating", "scattered"));
        assertEquals(
                List.of(
                        "unaligned: ENODEV, it aligns to 4 KiB at most, not to 64 KiB",
                        "leaky: ENODEV, it cannot export a descriptor through which no holder can write",
                        "imitating: ENODEV, it only emulates contiguous and protected; accept that with"
                                + " withEmulations(\"contiguous\", \"protected\")",
                        "scattered: ENODEV, it does not meet (heap.contiguous=true)"),
                attempts(refusal));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(Optional.empty(), refusal.heap());
        assertNull(refusal.getCause());
        unfit.forEach(heap -> assertEquals(List.of(), heap.asked()));

        serving(
                "fit",
                Map.of(
                        HeapProperties.CONTIGUOUS,
                        true,
                        HeapProperties.ALIGNMENT,
                        65536L,
                        HeapProperties.EXPORT_READONLY,
                        true));
        assertEquals(
                "fit",
                broker.allocate(request.withHeaps("unaligned", "leaky", "imitating", "scattered", "fit"))
                        .heapName());
        assertEquals("fit", broker.allocate(request).heapName());
        unfit.forEach(heap -> assertEquals(List.of(), heap.asked()));
    }

    @Test
    void a_fallback_that_lacks_a_required_property_is_not_asked() {
        refusing("cma", Errno.ENOMEM, Map.of(HeapProperties.CONTIGUOUS, true));
        FakeHeap system = serving("system", Map.of());
        HeapException refusal = refusal(REQUEST.withHeaps("cma", "system").withRequirement("(heap.contiguous=true)"));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(Optional.of("cma"), refusal.heap());
        assertEquals(List.of(), system.asked());
    }

    @Test
    void an_emulating_heap_serves_only_requests_that_accept_all_of_its_emulations() {
        FakeHeap heap = serving("imitating", Map.of(HeapProperties.EMULATES, List.of("contiguous", "protected")));
        assertEquals(Errno.ENODEV, refusal(REQUEST).errno());
        assertEquals(Errno.ENODEV, refusal(REQUEST.withEmulations("contiguous")).errno());
        assertEquals(List.of(), heap.asked());
        assertEquals(
                "imitating",
                broker.allocate(REQUEST.withEmulations("contiguous", "protected", "more")
                                .withRequirement("(&(heap.contiguous=true)(heap.protected=true))"))
                        .heapName());
    }

    @Test
    void accepting_an_emulation_does_not_make_a_heap_emulate() {
        serving("plain", Map.of());
        assertEquals(
                "heap 'plain': no buffer of 12 MiB: it does not meet (heap.contiguous=true)",
                refusal(REQUEST.withEmulations("contiguous").withRequirement("(heap.contiguous=true)"))
                        .getMessage());
    }

    @Test
    void an_alignment_up_to_the_heaps_own_is_met() {
        FakeHeap heap = serving("aligned", Map.of(HeapProperties.ALIGNMENT, 65536L));
        broker.allocate(REQUEST.withAlignment(65536));
        assertEquals(65536, heap.asked().getFirst().alignment());
        assertEquals(
                "heap 'aligned': no buffer of 12 MiB: it aligns to 64 KiB at most, not to 128 KiB",
                refusal(REQUEST.withAlignment(131072)).getMessage());
    }

    @Test
    void a_heap_without_read_only_exports_serves_requests_without_export() {
        FakeHeap heap = serving("leaky", Map.of());
        broker.allocate(REQUEST.withExport(ExportMode.NONE));
        broker.allocate(REQUEST);
        assertEquals(2, heap.asked().size());
    }

    @Test
    void a_shadowed_or_refused_heap_is_skipped_with_a_reason() {
        serving("camera", id(5, 0));
        FakeHeap shadowed = serving("display", id(5, 0));
        FakeHeap refused = serving("broken", Map.of(HeapProperties.ALIGNMENT, 3L));
        assertEquals(
                "heap 'display': no buffer of 12 MiB: its heap.id 5 is taken by heap 'camera' of bundle"
                        + " org.example.camera; it serves when that heap leaves",
                refusal(REQUEST.withHeaps("display")).getMessage());
        assertEquals(
                "heap 'broken': no buffer of 12 MiB: invalid heap.alignment = 3: expected a power of two",
                refusal(REQUEST.withHeaps("broken")).getMessage());
        assertEquals(List.of(), shadowed.asked());
        assertEquals(List.of(), refused.asked());
    }

    // Messages: each names the heap, the size and the remedy.

    @Test
    void without_any_heap_the_remedy_is_to_install_one() {
        for (AllocationRequest request : List.of(REQUEST, REQUEST.withMask(-1))) {
            HeapException refusal = refusal(request);
            assertEquals(Errno.ENODEV, refusal.errno());
            assertEquals(Optional.empty(), refusal.heap());
            assertEquals(
                    "no heap for a buffer of 12 MiB: no heap serves; install one, for instance heap-system",
                    refusal.getMessage());
            assertEquals(List.of(), refusal.attempts());
        }
        assertEquals(
                "heap 'camera': no buffer of 12 MiB: there is no such heap; no heap serves; install one, for instance"
                        + " heap-system",
                refusal(REQUEST.withHeaps("camera")).getMessage());
    }

    @Test
    void an_unknown_name_is_refused_with_the_existing_names() {
        serving("system", id(0, 0));
        serving("camera", id(1, 0));
        assertEquals(
                "heap 'dma': no buffer of 12 MiB: there is no such heap; serving heaps: camera, system",
                refusal(REQUEST.withHeaps("dma")).getMessage());
        HeapException refusal = refusal(REQUEST.withHeaps("kamera"));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(Optional.of("kamera"), refusal.heap());
        assertEquals(
                "heap 'kamera': no buffer of 12 MiB: there is no such heap; the nearest name is camera; serving"
                        + " heaps: camera, system",
                refusal.getMessage());
        assertEquals(
                List.of("kamera: ENODEV, there is no such heap; the nearest name is camera; serving heaps: camera,"
                        + " system"),
                attempts(refusal));
    }

    private void absent(long service, String name, String reason, boolean retried) {
        broker.unavailable.put(
                service,
                Map.of(
                        HeapProperties.NAME, name,
                        UnavailableHeap.REASON, reason,
                        UnavailableHeap.RETRIED, retried,
                        UnavailableHeap.FILE, "etc/" + name + ".cfg"),
                "org.example." + name);
    }

    @Test
    void a_name_of_a_heap_that_has_not_started_is_refused_with_reason_and_file() {
        serving("secure", Map.of());
        absent(1, "system", "invalid backend = x: expected memfd", false);
        absent(2, "camera", "512 MiB do not fit", true);
        HeapException refusal = refusal(REQUEST.withHeaps("system"));
        assertEquals(
                "heap 'system': no buffer of 12 MiB: it failed to start: invalid backend = x: expected memfd (file"
                        + " etc/system.cfg)",
                refusal.getMessage());
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(
                "heap 'camera': no buffer of 12 MiB: it waits: 512 MiB do not fit (file etc/camera.cfg)",
                refusal(REQUEST.withHeaps("camera")).getMessage());
        assertEquals(
                "heap 'kamera': no buffer of 12 MiB: there is no such heap; the nearest name is camera; serving"
                        + " heaps: secure; not started: system, camera",
                refusal(REQUEST.withHeaps("kamera")).getMessage());
    }

    @Test
    void a_refusal_lists_heaps_that_have_not_started_before_it_recommends_another() {
        serving("secure", Map.of(HeapProperties.EMULATES, "protected"));
        absent(1, "system", "invalid backend = x: expected memfd", false);
        String failed = "system: it failed to start: invalid backend = x: expected memfd (file etc/system.cfg); ";
        String recommended = "secure: it only emulates protected; accept that with withEmulations(\"protected\")";
        String sentence = "no heap gave a buffer of 12 MiB. " + failed + recommended;
        for (AllocationRequest request : List.of(
                REQUEST,
                REQUEST.withHeaps("secure", "system"),
                REQUEST.withHeaps("system", "secure"),
                REQUEST.withRequirement("(heap.mappable=true)"))) {
            assertEquals(sentence, refusal(request).getMessage());
        }
        HeapException masked = refusal(REQUEST.withMask(1));
        assertEquals(
                "heap 'system': no heap for a buffer of 12 MiB: " + failed
                        + "no heap has its id in mask 0x1; serving heaps: secure",
                masked.getMessage());
        assertEquals(List.of("system"), asked(masked));
    }

    @Test
    void a_shortage_and_a_missing_permission_list_heaps_that_have_not_started_too() {
        refusing("secure", Errno.ENOMEM, id(1, 0));
        absent(1, "system", "no memory", true);
        HeapException shortage = refusal(REQUEST);
        assertEquals(Errno.ENOMEM, shortage.errno());
        assertEquals(Optional.of("secure"), shortage.heap());
        assertTrue(shortage.reason().contains("system: it waits: no memory"), shortage.reason());
        serving("closed", Map.of(HeapProperties.RESTRICTED, true, HeapProperties.PRIORITY, 9));
        HeapException closed = refusal(REQUEST);
        assertEquals(Errno.EACCES, closed.errno());
        assertTrue(closed.reason().contains("system: it waits: no memory"), closed.reason());
    }

    @Test
    void a_heap_that_waits_for_a_taken_name_is_not_listed_in_a_refusal() {
        refusing("system", Errno.ENOMEM, id(1, 0));
        absent(1, "system", "its name is taken", true);
        assertEquals(List.of("system"), asked(refusal(REQUEST)));
    }

    @Test
    void a_mask_without_a_heap_is_refused_with_the_existing_names() {
        serving("system", id(0, 0));
        HeapException refusal = refusal(REQUEST.withMask(1L << 63 | 2));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(
                "no heap for a buffer of 12 MiB: no heap has its id in mask 0x8000000000000002; serving heaps:"
                        + " system",
                refusal.getMessage());
    }

    @Test
    void a_refusal_by_the_only_heap_asked_is_passed_on() {
        broker.heap(
                "camera", FakeHeap.refusing(Errno.ENOMEM, "camera", "12 MiB do not fit: 3 MiB free; free a buffer"));
        HeapException refusal = refusal(REQUEST);
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
        assertEquals("heap 'camera': 12 MiB do not fit: 3 MiB free; free a buffer", refusal.getMessage());
        assertEquals(List.of("camera: ENOMEM, 12 MiB do not fit: 3 MiB free; free a buffer"), attempts(refusal));
    }

    @Test
    void a_refusal_message_begins_with_the_name_of_its_heap() {
        broker.heap("camera", FakeHeap.refusing(Errno.ENOMEM, "camera", "full; free a buffer"));
        HeapException refusal = refusal(REQUEST);
        assertEquals("heap 'camera': full; free a buffer", refusal.getMessage());
    }

    @Test
    void when_all_are_out_of_memory_each_reason_is_listed() {
        broker.heap("cma", FakeHeap.refusing(Errno.ENOMEM, "cma", "fragmented; largest run 1 MiB"));
        broker.heap("system", FakeHeap.refusing(Errno.ENOMEM, "system", "5 MiB left; close buffers"));
        HeapException refusal = refusal(REQUEST.withHeaps("cma", "system"));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                "no heap gave a buffer of 12 MiB. cma: fragmented; largest run 1 MiB; system: 5 MiB left; close"
                        + " buffers",
                refusal.getMessage());
        assertEquals(
                List.of("cma: ENOMEM, fragmented; largest run 1 MiB", "system: ENOMEM, 5 MiB left; close buffers"),
                attempts(refusal));
        assertEquals(
                "heap 'system': 5 MiB left; close buffers", refusal.getCause().getMessage());
    }

    @Test
    void out_of_memory_wins_over_heaps_that_were_skipped() {
        serving("scattered", Map.of());
        refusing("cma", Errno.ENOMEM, Map.of(HeapProperties.CONTIGUOUS, true));
        HeapException refusal =
                refusal(REQUEST.withHeaps("scattered", "cma", "gone").withRequirement("(heap.contiguous=true)"));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(Optional.of("cma"), refusal.heap());
        assertEquals(List.of("scattered", "cma", "gone"), asked(refusal));
    }

    // A vendor's code can throw anything.

    static Stream<Throwable> failures() {
        return Stream.of(
                new IllegalStateException("torn"),
                new NullPointerException(),
                new NoClassDefFoundError("org/example/Gone"),
                new UnsatisfiedLinkError("libvendor.so"),
                new StackOverflowError(),
                new InternalError("a fault in a page of the vendor's"),
                new AssertionError("never"));
    }

    @ParameterizedTest
    @MethodSource("failures")
    void a_heap_whose_code_throws_is_reported_and_ends_the_request(Throwable thrown) {
        broker.heap("vendor", new FakeHeap(request -> {
            if (thrown instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) thrown;
        }));
        FakeHeap next = serving("next", Map.of());
        RecordedLog.clear();
        HeapException refusal = refusal(REQUEST.withHeaps("vendor", "next"));
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals(Optional.of("vendor"), refusal.heap());
        assertEquals(
                "heap 'vendor': no buffer of 12 MiB: its code failed with " + thrown + "; report that to its vendor",
                refusal.getMessage());
        assertTrue(Stream.iterate((Throwable) refusal, Throwable::getCause)
                .limit(3)
                .anyMatch(e -> e == thrown));
        assertEquals(List.of(), next.asked());
        assertEquals(
                List.of("ERROR heap 'vendor' failed in allocate; report that to its vendor <" + thrown + ">"),
                RecordedLog.lines());
    }

    @Test
    void an_out_of_memory_error_is_not_the_vendors_fault_and_passes() {
        OutOfMemoryError error = new OutOfMemoryError("made up");
        broker.heap("vendor", new FakeHeap(request -> {
            throw error;
        }));
        assertSame(error, assertThrows(OutOfMemoryError.class, () -> broker.allocate(REQUEST)));
    }

    @Test
    void a_heap_that_returns_nothing_is_reported() {
        broker.heap("vendor", new FakeHeap(request -> null));
        RecordedLog.clear();
        HeapException refusal = refusal(REQUEST);
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals("heap 'vendor': it returned no buffer; report that to its vendor", refusal.getMessage());
        assertEquals(List.of("ERROR heap 'vendor' returned no buffer; report that to its vendor"), RecordedLog.lines());
    }

    @Test
    void a_buffer_that_is_too_small_is_released_and_reported() {
        FakeMemory small = new FakeMemory((12 << 20) - 1);
        broker.heap("vendor", new FakeHeap(request -> small));
        FakeHeap next = serving("next", Map.of());
        HeapException refusal = refusal(REQUEST.withHeaps("vendor", "next"));
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals(
                "heap 'vendor': it returned a buffer of 12582911 bytes instead of 12582912; report that to its vendor",
                refusal.getMessage());
        Await.until("it is released", small::released);
        assertEquals(List.of("release"), small.calls());
        assertEquals(List.of(), next.asked());
        assertEquals(0, broker.info("vendor", HeapState.SERVING).charged().liveBuffers());
    }

    /** The accounts' sums could not hold a page more. */
    @ParameterizedTest
    @ValueSource(longs = {Long.MAX_VALUE, Long.MAX_VALUE - 4095, -1, 0, Long.MIN_VALUE})
    void a_buffer_with_an_impossible_size_is_released_and_reported(long size) {
        FakeMemory[] made = new FakeMemory[1];
        broker.heap(
                "vendor",
                new FakeHeap(request -> made[0] = new FakeMemory(16) {
                    @Override
                    public long size() {
                        return size;
                    }
                }));
        HeapException refusal = refusal(REQUEST);
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals(
                "heap 'vendor': it returned a buffer of " + size + " bytes instead of 12582912; report that to its"
                        + " vendor",
                refusal.getMessage());
        Await.until("it is released", made[0]::released);
        assertEquals(List.of("release"), made[0].calls());
        assertEquals(0, broker.info("vendor", HeapState.SERVING).charged().liveBytes());
    }

    @Test
    void a_buffer_that_is_too_small_and_fails_to_release_is_reported_as_too_small() {
        broker.heap("vendor", new FakeHeap(request -> new FakeMemory(1) {
            @Override
            public void release() {
                super.release();
                throw new IllegalStateException("torn");
            }
        }));
        RecordedLog.clear();
        assertEquals(
                "heap 'vendor': it returned a buffer of 1 bytes instead of 12582912; report that to its vendor",
                refusal(REQUEST).getMessage());
        Await.until(
                "the failed release is reported",
                () -> RecordedLog.lines().toString().contains("torn"));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_buffer_whose_size_method_fails_is_released(boolean refuses) {
        FakeMemory[] made = new FakeMemory[1];
        broker.heap(
                "vendor",
                new FakeHeap(request -> made[0] = new FakeMemory(12 << 20) {
                    @Override
                    public long size() {
                        throw refuses
                                ? HeapException.of(Errno.ENOMEM, "vendor", "no")
                                : new IllegalStateException("torn");
                    }
                }));
        assertEquals(refuses ? Errno.ENOMEM : Errno.EIO, refusal(REQUEST).errno());
        Await.until("it is released", made[0]::released);
        assertEquals(List.of("release"), made[0].calls());
        assertEquals(0, broker.info("vendor", HeapState.SERVING).charged().liveBuffers());
    }

    @Test
    void a_heap_gets_the_request_without_the_routing() {
        FakeHeap heap = serving("camera", id(1, 0));
        broker.allocate(REQUEST.withExport(ExportMode.NONE).withName("frame"));
        HeapRequest seen = heap.asked().getFirst();
        assertEquals(REQUEST.size(), seen.size());
        assertEquals(ExportMode.NONE, seen.export());
        assertEquals(Optional.of("frame"), seen.name());
        assertEquals(Optional.of(broker.client.id()), seen.client());
    }

    @Test
    void a_heap_may_leave_from_within_its_own_allocate() {
        RegisteredHeap[] heap = new RegisteredHeap[1];
        heap[0] = broker.heap("camera", new FakeHeap(request -> {
            RegisteredHeap leaving = broker.registry.leaving(heap[0].service());
            assertEquals(0, leaving.gate().close(Long.MAX_VALUE / 2));
            broker.registry.gone(leaving);
            return new FakeMemory(request.size());
        }));
        BufferReference reference = broker.allocate(REQUEST);
        assertEquals(1, broker.info("camera", HeapState.DEPARTED).charged().liveBuffers());
        reference.close();
        assertEquals(List.of(), broker.heaps());
    }

    @Test
    void a_buffer_of_a_heap_that_renames_itself_inside_allocate_is_listed_under_the_old_name() {
        RegisteredHeap[] heap = new RegisteredHeap[1];
        heap[0] = broker.heap("camera", new FakeHeap(request -> {
            broker.registry.changed(heap[0].service(), () -> Map.of(HeapProperties.NAME, "front"));
            return new FakeMemory(request.size());
        }));
        BufferReference reference = broker.allocate(REQUEST.withHeaps("camera"));
        assertEquals("camera", reference.heapName());
        assertEquals(1, broker.info("camera", HeapState.DEPARTED).charged().liveBuffers());
        assertEquals(0, broker.info("front", HeapState.SERVING).charged().liveBuffers());
        BufferReference next = broker.allocate(REQUEST.withHeaps("front"));
        assertEquals(1, broker.info("front", HeapState.SERVING).charged().liveBuffers());
        next.close();
        reference.close();
        assertEquals(1, broker.heaps().size());
    }

    /**
     * Whatever the heap's name is when a request arrives, its buffer is listed under the name that the buffer returns.
     */
    @Test
    void a_buffer_of_a_heap_that_is_being_renamed_is_listed_under_its_own_heap_name() {
        RegisteredHeap heap = broker.heap("name0", new FakeHeap());
        String[] allocated = new String[1];
        BufferReference[] reference = new BufferReference[1];
        new Race()
                .before(round -> reference[0] = null)
                .with(round -> broker.registry.changed(
                        heap.service(), () -> Map.of(HeapProperties.NAME, "name" + (round + 1))))
                .with(round -> {
                    reference[0] = broker.allocate(AllocationRequest.of(64));
                    allocated[0] = reference[0].heapName();
                })
                .after(round -> {
                    assertEquals(
                            List.of(allocated[0]),
                            broker.heaps().stream()
                                    .filter(info -> info.charged().liveBuffers() == 1)
                                    .map(HeapInfo::name)
                                    .toList());
                    reference[0].close();
                    assertEquals(1, broker.heaps().size());
                })
                .run(4000);
    }

    @Test
    void a_heap_that_lost_a_required_property_while_another_was_asked_is_not_asked() {
        RegisteredHeap[] fallback = new RegisteredHeap[1];
        broker.heap(
                "slow",
                new FakeHeap(request -> {
                    broker.registry.changed(
                            fallback[0].service(),
                            () -> Map.of(HeapProperties.NAME, "fallback", HeapProperties.DMABUF, false));
                    throw HeapException.of(Errno.ENOMEM, "slow", "full");
                }),
                Map.of(HeapProperties.DMABUF, true));
        FakeHeap exporter = new FakeHeap();
        fallback[0] = broker.heap("fallback", exporter, Map.of(HeapProperties.DMABUF, true));
        HeapException refused = assertThrows(
                HeapException.class,
                () -> broker.allocate(
                        AllocationRequest.of(64).withHeaps("slow", "fallback").withRequirement("(heap.dmabuf=true)")));
        assertEquals(
                "no heap gave a buffer of 64 bytes. slow: full; fallback: it does not meet (heap.dmabuf=true)",
                refused.getMessage());
        assertEquals(List.of(), exporter.asked());
    }

    @Test
    void a_heap_that_took_another_name_while_another_was_asked_is_not_asked() {
        RegisteredHeap[] secure = new RegisteredHeap[1];
        broker.heap("first", new FakeHeap(request -> {
            broker.registry.changed(secure[0].service(), () -> Map.of(HeapProperties.NAME, "public"));
            throw HeapException.of(Errno.ENOMEM, "first", "full");
        }));
        FakeHeap exporter = new FakeHeap();
        secure[0] = broker.heap("secure", exporter);
        HeapException refused = assertThrows(
                HeapException.class,
                () -> broker.allocate(AllocationRequest.of(64).withHeaps("first", "secure")));
        assertEquals(
                "no heap gave a buffer of 64 bytes. first: full; secure: it has changed its name or heap.id since"
                        + " the request began",
                refused.getMessage());
        assertEquals(List.of(), exporter.asked());
    }

    @Test
    void a_heap_that_took_an_id_outside_the_mask_while_another_was_asked_is_not_asked() {
        RegisteredHeap[] other = new RegisteredHeap[1];
        broker.heap(
                "first",
                new FakeHeap(request -> {
                    broker.registry.changed(
                            other[0].service(), () -> Map.of(HeapProperties.NAME, "other", HeapProperties.ID, 40));
                    throw HeapException.of(Errno.ENOMEM, "first", "full");
                }),
                Map.of(HeapProperties.ID, 9));
        FakeHeap exporter = new FakeHeap();
        other[0] = broker.heap("other", exporter, Map.of(HeapProperties.ID, 4));
        assertThrows(
                HeapException.class,
                () -> broker.allocate(AllocationRequest.of(64).withMask(1L << 9 | 1L << 4)));
        assertEquals(List.of(), exporter.asked());
    }

    /** Notes about skipped heaps are cheap: no message is built for a request that is served. */
    @Test
    void skipped_heaps_allocate_almost_nothing() {
        for (int i = 0; i < 20; i++) {
            serving("unfit" + i, id(i, 1));
        }
        serving("fit", Map.of(HeapProperties.CONTIGUOUS, true));
        AllocationRequest request = AllocationRequest.of(64).withRequirement("(heap.contiguous=true)");
        AllocationRequest direct = AllocationRequest.of(64).withHeaps("fit");
        for (int i = 0; i < 20_000; i++) { // until the code is compiled
            broker.allocate(request).close();
            broker.allocate(direct).close();
        }
        long more = allocated(request) - allocated(direct);
        assertTrue(more < 100, more + " bytes more than by name"); // a note of each heap alone takes 320
    }

    /**
     * Bytes that one allocation takes from the Java heap: the minimum of several, because other threads may add to one.
     */
    private long allocated(AllocationRequest request) {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 100; i++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            broker.allocate(request).close();
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        return least;
    }

    /** Error of a heap whose bundle was uninstalled during the call and that still has a class to load. */
    @ParameterizedTest
    @MethodSource("failures")
    void a_heap_that_fails_because_it_left_is_followed_by_the_next(Throwable thrown) {
        RegisteredHeap[] heap = new RegisteredHeap[1];
        FakeHeap leaver = new FakeHeap(request -> {
            broker.remove(heap[0]);
            if (thrown instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) thrown;
        });
        heap[0] = broker.heap("vendor", leaver);
        RecordedLog.clear();
        HeapException refusal = refusal(REQUEST.withHeaps("vendor"));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(Optional.of("vendor"), refusal.heap());
        assertEquals("heap 'vendor': it left during the allocation, which failed with " + thrown, refusal.getMessage());
        assertSame(thrown, refusal.getCause().getCause());
        assertEquals(
                List.of("WARN heap 'vendor' left during a call of allocate, which failed <" + thrown + ">"),
                RecordedLog.lines());

        heap[0] = broker.heap("vendor", leaver);
        serving("next", Map.of());
        assertEquals(
                "next", broker.allocate(REQUEST.withHeaps("vendor", "next")).heapName());
    }

    /**
     * While heaps arrive, change and leave, every request gets a buffer from the permanent heap or from another one.
     */
    @Test
    void allocations_continue_while_heaps_arrive_and_leave() {
        serving("stays", id(0, -1));
        HeapAccount stays = broker.registry.routes().named("stays").account();
        new Race()
                .with(round -> {
                    RegisteredHeap heap = broker.heap("comes", new FakeHeap(), id(round % 63 + 1, round % 3));
                    broker.registry.changed(
                            heap.service(),
                            () -> Map.of(HeapProperties.NAME, "changed", HeapProperties.ID, round % 63 + 1));
                    RegisteredHeap leaving = broker.registry.leaving(heap.service());
                    assertEquals(0, leaving.gate().close(Long.MAX_VALUE / 2));
                    broker.registry.gone(leaving);
                })
                .with(round -> broker.allocate(AllocationRequest.of(64)).close())
                .with(round ->
                        broker.allocate(AllocationRequest.of(64).withMask(-1)).close())
                .with(round -> broker.allocate(AllocationRequest.of(64)
                                .withHeaps("comes", "changed", "stays")
                                .withRequirement("(heap.cached=true)"))
                        .close())
                .after(round -> assertEquals(0, stays.buffers()))
                .run(4000);
        assertEquals(1, broker.heaps().size());
        assertEquals(List.of(), broker.registry.departed());
    }

    @Test
    void an_event_names_client_heap_buffer_size_and_the_number_of_failed_attempts() {
        broker.heap("full", FakeHeap.refusing(Errno.ENOMEM, "full", "full"));
        broker.heap("roomy", new FakeHeap());

        broker.allocate(AllocationRequest.of(64).withHeaps("full", "roomy").withName("frame"))
                .close();

        assertEquals(
                List.of(new RecordedBrokerEvents.Ended("org.example.camera", "roomy", "frame", 64, 1, "")),
                broker.events.allocations);
        assertEquals(List.of(new RecordedBrokerEvents.Released("roomy", "frame", 64, false)), broker.events.releases);
        assertEquals(List.of(), broker.events.shortages);
    }

    @Test
    void heaps_that_were_skipped_between_those_that_were_asked_are_attempts_in_the_order_of_asking() {
        Map<String, Object> contiguous = Map.of(HeapProperties.CONTIGUOUS, true);
        serving("first", id(1, 9));
        refusing("second", Errno.ENOMEM, with(contiguous, id(2, 8)));
        serving("third", id(3, 7));
        refusing("fourth", Errno.ENODEV, with(contiguous, id(4, 6)));
        serving("last", id(5, 5));
        AllocationRequest request = AllocationRequest.of(64).withRequirement("(heap.contiguous=true)");
        HeapException refusal = refusal(request);
        assertEquals(
                List.of("first ENODEV", "second ENOMEM", "third ENODEV", "fourth ENODEV", "last ENODEV"),
                refusal.attempts().stream()
                        .map(attempt -> attempt.heap() + " " + attempt.errno())
                        .toList());
        serving("served", with(contiguous, id(6, 0)));
        broker.allocate(request).close();
        assertEquals(5, broker.events.allocations.getLast().tried());
    }

    private static Map<String, Object> with(Map<String, Object> some, Map<String, Object> more) {
        Map<String, Object> both = new HashMap<>(some);
        both.putAll(more);
        return both;
    }

    @Test
    void a_failed_request_and_a_shortage_are_reported_as_events() {
        broker.heap("full", FakeHeap.refusing(Errno.ENOMEM, "full", "nothing is left"));

        HeapException e = assertThrows(
                HeapException.class,
                () -> broker.allocate(AllocationRequest.of(64).withHeaps("full", "gone")));

        assertEquals(
                List.of(new RecordedBrokerEvents.Ended("org.example.camera", "full", "", 64, 2, "ENOMEM")),
                broker.events.allocations);
        assertEquals(
                List.of(new RecordedBrokerEvents.Short("full", "org.example.camera", 64, e.getMessage())),
                broker.events.shortages);
    }
}
