// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.HeapUnderTest.Company;
import org.junit.jupiter.api.Test;

class HeapContractTest {
    private static final String ONE = "a_new_buffer_of_1_bytes_is_all_zero";

    private final MemfdSource heap = Heaps.good();

    private HeapContract contract(Map<String, ?> properties) {
        return HeapContract.of(heap, Heaps.announced(heap, properties));
    }

    private static List<String> names(HeapContract contract) {
        return contract.cases().stream().map(ContractCase::name).toList();
    }

    private static Map<String, String> skipped(HeapContract contract) {
        return contract.cases().stream()
                .filter(c -> c.skipReason().isPresent())
                .collect(
                        Collectors.toMap(ContractCase::name, c -> c.skipReason().get()));
    }

    private static ContractCase find(HeapContract contract, String name) {
        return contract.cases().stream()
                .filter(c -> c.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void a_name_is_a_sentence_and_names_one_case() {
        List<String> names = names(contract(Map.of()));
        assertEquals(names.size(), new HashSet<>(names).size());
        names.forEach(name -> assertTrue(name.matches("[a-z0-9]+(_[a-z0-9]+){3,}"), name));
    }

    @Test
    void the_cases_are_the_same_for_every_heap() {
        List<String> names = names(contract(Map.of()));
        assertEquals(
                names, names(contract(Map.of(HeapProperties.MAPPABLE, false, HeapProperties.EXPORT_READONLY, false))));
        assertEquals(names, names(HeapContract.of(small(), Heaps.announced(heap))));
    }

    @Test
    void a_case_with_a_buffer_above_the_announced_largest_size_is_skipped() {
        Map<String, String> skipped = skipped(contract(Map.of(HeapProperties.SIZE_MAX, 2L << 20)));
        assertEquals(
                "heap.size.max=2097152: a buffer of 16 MiB is too large",
                skipped.get("a_new_buffer_of_16777216_bytes_is_all_zero"));
        assertFalse(skipped.containsKey("a_new_buffer_of_2097152_bytes_is_all_zero"));
    }

    @Test
    void a_case_of_an_unannounced_property_is_skipped_with_a_reason_or_expects_a_refusal() {
        Map<String, String> usual = skipped(contract(Map.of(HeapProperties.EXPORT_READONLY, true)));
        Map<String, String> unmappable =
                skipped(contract(Map.of(HeapProperties.MAPPABLE, false, HeapProperties.EXPORT_READONLY, false)));
        Map<String, String> absent = Map.of(
                "memory_has_the_announced_physical_runs",
                "heap.contiguous=false: a run may be as short as a page",
                "memory_begins_at_a_physical_address_of_the_requested_alignment",
                "heap.alignment=" + Bytes.PAGE + ": every page is aligned",
                "a_full_heap_refuses_as_a_shortage_and_holds_as_much_again_after_a_release",
                "the heap reports no capacity",
                "a_size_above_the_announced_largest_is_refused",
                "heap.size.max is absent: no size is too large for the back end",
                "a_buffer_has_a_multiple_of_the_announced_granule",
                "heap.size.granule is absent: any size is right");

        Map<String, String> refusals = Map.of(
                "memory_that_cannot_be_mapped_says_so", "heap.mappable=true: there is nothing to refuse",
                "an_export_for_reading_that_cannot_be_had_is_refused",
                        "heap.export.readonly=true: there is nothing to refuse");
        Map<String, String> expected = new HashMap<>(refusals);
        expected.putAll(absent);
        usual.remove("physical_addresses_are_within_the_announced_range"); // only a privileged process sees them
        assertEquals(expected, usual);

        assertEquals("heap.mappable=false: the CPU cannot read the memory", unmappable.get(ONE));
        assertEquals(
                "heap.export.readonly=false: there is no such descriptor",
                unmappable.get("a_descriptor_for_reading_cannot_be_mapped_for_writing"));
        refusals.keySet().forEach(name -> assertTrue(!unmappable.containsKey(name), name));
    }

    @Test
    void a_case_of_physical_memory_applies_if_a_property_announces_it() {
        Map<String, Object> announced = new HashMap<>(Heaps.announced(heap));
        announced.keySet().removeAll(Set.of(HeapProperties.ADDRESS_MIN, HeapProperties.ADDRESS_MAX));
        assertEquals(
                "heap.address.min, heap.address.max and heap.dma.bits are absent: any address is right",
                skipped(HeapContract.of(heap, announced)).get("physical_addresses_are_within_the_announced_range"));
        String runs = skipped(contract(Map.of(HeapProperties.CONTIGUOUS, true)))
                .getOrDefault("memory_has_the_announced_physical_runs", "");
        assertTrue(runs.isEmpty() || runs.startsWith("the kernel hides the physical addresses: "), runs);
    }

    private HeapContract besideClients(HeapExporter exporter) {
        return HeapContract.of(new HeapUnderTest(
                exporter, Heaps.announced(heap), Duration.ofMillis(10), Heaps.LIMIT, Company.CLIENTS));
    }

    @Test
    void beside_clients_the_cases_take_a_quarter_of_the_free_memory_and_request_no_absurd_size() {
        HeapUsage half = HeapUsage.unknown().withCapacity(4 << 20).withFree(2 << 20);
        Map<String, String> skipped = skipped(besideClients(using(half, heap)));
        assertEquals(
                "clients use the heap: needs 1 MiB at once, more than 512 KiB",
                skipped.get("a_new_buffer_of_1048576_bytes_is_all_zero"));
        assertFalse(skipped.containsKey("a_new_buffer_of_65536_bytes_is_all_zero"));
        assertTrue(skipped.get("an_absurd_size_is_refused_before_it_is_tried").startsWith("clients use the heap: "));
        assertFalse(skipped(contract(Map.of())).containsKey("an_absurd_size_is_refused_before_it_is_tried"));
    }

    @Test
    void beside_clients_only_what_each_run_of_a_case_leaves_is_a_leak() {
        List<Integer> opened = new ArrayList<>();
        AtomicInteger calls = new AtomicInteger();
        for (int last : List.of(2, Integer.MAX_VALUE)) {
            calls.set(0);
            HeapExporter leaking = request -> {
                if (request != null && calls.incrementAndGet() <= last) {
                    opened.add(Syscalls.linux().memfdCreate("left", 1));
                }
                return heap.allocate(request);
            };
            ContractCase name = find(besideClients(leaking), "a_name_of_31_bytes_is_taken");
            calls.set(0);
            assertEquals(
                    last != 2,
                    name.failure().filter(how -> how.contains("/memfd:left")).isPresent());
        }
        opened.forEach(Syscalls.linux()::close);
    }

    @Test
    void a_case_that_needs_more_than_the_heap_holds_is_skipped_with_both_figures() {
        Map<String, String> skipped = skipped(HeapContract.of(small(), Heaps.announced(heap)));
        assertEquals(
                "needs 16 MiB at once; the heap holds 1 MiB",
                skipped.get("a_buffer_of_16777216_bytes_has_that_many_or_more_and_always_as_many"));
        assertTrue(!skipped.containsKey("a_buffer_of_1048576_bytes_has_that_many_or_more_and_always_as_many"));
    }

    @Test
    void the_needs_of_a_case_are_counted_by_the_real_size_of_buffers() {
        String threads = "100_threads_allocate_map_and_release_at_once";
        Bounded pages = new Bounded(128 << 20, 4096, 4096);
        assertFalse(skipped(HeapContract.of(pages, Heaps.announced(heap))).containsKey(threads));
        for (Bounded coarse : List.of(
                new Bounded(128 << 20, 1 << 20, 1 << 20), // seen in a buffer's size
                new Bounded(128 << 20, 4096, 1 << 20))) { // seen in the usage only
            assertEquals(
                    "needs 400 MiB at once; the heap holds 128 MiB",
                    skipped(HeapContract.of(coarse, Heaps.announced(heap))).get(threads));
        }
    }

    @Test
    void a_heap_with_no_spare_byte_may_free_released_memory_with_a_delay() {
        Bounded exact = new Bounded(32 << 20, 4096, 4096);
        HeapContract contract = HeapContract.of(exact, Heaps.announced(heap));
        find(contract, "what_32_buffers_of_1048576_bytes_held_never_shows_in_new_ones")
                .run();
        find(contract, "memory_that_a_peer_still_has_goes_to_no_other_buffer").run();
        find(contract, "a_peer_that_maps_before_the_owner_sees_zeros_and_what_it_writes_stays")
                .run();
    }

    /** Heap with a capacity, whose released memory is free again after the usage was read three times. */
    private final class Bounded implements HeapExporter {
        private final long capacity;
        private final long chunk;
        private final long unit;
        private final List<Long> released = new ArrayList<>();
        private long used;
        private int asked;

        /** @param chunk bytes to which sizes are rounded up; the bytes that they use are rounded up to the unit */
        Bounded(long capacity, long chunk, long unit) {
            this.capacity = capacity;
            this.chunk = chunk;
            this.unit = unit;
        }

        private static long up(long size, long unit) {
            return (size + unit - 1) / unit * unit;
        }

        @Override
        public HeapBuffer allocate(HeapRequest request) {
            long taken = up(request.size(), unit);
            if (used + taken > capacity) {
                throw HeapException.of(Errno.ENOMEM, "camera", request.size() + " bytes do not fit");
            }
            HeapBuffer buffer = heap.allocate(request.withSize(up(request.size(), chunk)));
            used += taken;
            return new ForwardingBuffer(buffer) {
                @Override
                public void release() {
                    super.release();
                    released.add(taken);
                    asked = 0;
                }
            };
        }

        @Override
        public HeapUsage usage() {
            if (!released.isEmpty() && ++asked == 3) {
                used -= released.stream().mapToLong(Long::longValue).sum();
                released.clear();
            }
            return HeapUsage.unknown()
                    .withCapacity(capacity)
                    .withFree(capacity - used)
                    .withLargestFree(capacity - used);
        }
    }

    private HeapExporter small() {
        return using(HeapUsage.unknown().withCapacity(1 << 20), heap);
    }

    private static HeapExporter using(HeapUsage usage, HeapExporter heap) {
        return new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                return heap.allocate(request);
            }

            @Override
            public HeapUsage usage() {
                return usage;
            }
        };
    }

    @Test
    void a_skipped_case_stays_listed_with_its_reason_and_does_not_run() {
        HeapContract contract = contract(Map.of()).skipping(Map.of(ONE, "the device rounds to 2 MiB"));
        assertEquals(names(contract(Map.of())), names(contract));
        ContractCase skipped = find(contract, ONE);
        assertEquals("the device rounds to 2 MiB", skipped.skipReason().orElseThrow());
        assertEquals(ONE + " (skipped: the device rounds to 2 MiB)", skipped.toString());
        assertThrows(IllegalStateException.class, skipped::run);
    }

    @Test
    void a_skip_does_not_hide_what_the_heap_announces() {
        HeapContract contract =
                contract(Map.of(HeapProperties.MAPPABLE, false)).skipping(Map.of(ONE, "the device rounds to 2 MiB"));
        assertEquals(
                "heap.mappable=false: the CPU cannot read the memory",
                find(contract, ONE).skipReason().orElseThrow());
    }

    @Test
    void a_skip_of_no_case_or_without_a_reason_is_an_error() {
        HeapContract contract = contract(Map.of());
        assertThrows(IllegalArgumentException.class, () -> contract.skipping(Map.of("renamed_since", "a reason")));
        assertThrows(IllegalArgumentException.class, () -> contract.skipping(Map.of(ONE, " ")));
    }

    @Test
    void a_failure_names_the_heap_and_the_case_and_keeps_the_cause() {
        HeapExporter broken = request -> {
            throw new IllegalStateException("no luck");
        };
        AssertionError failure =
                assertThrows(AssertionError.class, find(HeapContract.of(broken, Heaps.announced(heap)), ONE)::run);
        assertEquals("heap 'camera', " + ONE + ": java.lang.IllegalStateException: no luck", failure.getMessage());
        assertEquals("no luck", failure.getCause().getMessage());
    }

    @Test
    void a_failure_that_a_case_finds_and_one_of_linkage_name_the_heap_and_the_case_as_well() {
        for (Error cause : List.of(new AssertionError("not zero"), new NoClassDefFoundError("org/example/Gone"))) {
            HeapExporter broken = request -> {
                throw cause;
            };
            AssertionError failure =
                    assertThrows(AssertionError.class, find(HeapContract.of(broken, Heaps.announced(heap)), ONE)::run);
            assertEquals("heap 'camera', " + ONE + ": ", failure.getMessage().split("(?<=: )")[0]);
            assertSame(cause, failure.getCause());
        }
    }
}
