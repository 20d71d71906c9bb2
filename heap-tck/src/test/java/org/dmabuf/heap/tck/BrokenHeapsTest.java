// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.HeapUnderTest.Company;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * Tests that the contract can fail. Each heap here breaks one requirement, and exactly the cases for it must fail. All
 * of these heaps refuse an absurd size before they call the kernel.
 */
class BrokenHeapsTest {
    private static final int F_SETFD = 2;

    private final MemfdSource good = Heaps.good();

    private void assertFailing(HeapExporter broken, String... names) {
        assertFailing(broken, Heaps.announced(good), names);
    }

    private static void assertFailing(HeapExporter broken, Map<String, ?> properties, String... names) {
        Set<String> expected = new TreeSet<>(Set.of(names));
        assertEquals(expected, Heaps.failing(looking(broken), properties, expected));
    }

    /** {@return the heap with a check for null before it, because the heaps here break another requirement} */
    private static HeapExporter looking(HeapExporter broken) {
        return new HeapExporter() {
            @Override
            public HeapBuffer allocate(HeapRequest request) {
                if (request == null) {
                    throw HeapException.of(Errno.EINVAL, "camera", "invalid request = null: expected a HeapRequest");
                }
                return broken.allocate(request);
            }

            @Override
            public HeapUsage usage() {
                return broken.usage();
            }

            @Override
            public long trim(long bytes) {
                return broken.trim(bytes);
            }
        };
    }

    private static HeapException refusal(Errno errno, HeapRequest request) {
        return HeapException.of(errno, "camera", request.size() + " bytes were refused");
    }

    @Test
    void the_heap_that_the_others_break_is_a_good_one() {
        assertFailing(good);
    }

    @Test
    void too_little_memory_is_noticed() {
        assertFailing(
                request -> good.allocate(
                        request.size() == 1 << 20 || request.size() == 16 << 20
                                ? request.withSize(request.size() / 2)
                                : request),
                "a_buffer_of_16777216_bytes_has_that_many_or_more_and_always_as_many",
                "a_buffer_of_1048576_bytes_has_that_many_or_more_and_always_as_many",
                // The last requested byte is missing.
                "1024_buffers_of_1048576_bytes_come_are_written_and_go");
    }

    @Test
    void a_size_that_changes_is_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    private int asked;

                    @Override
                    public long size() {
                        return request.size() == 4095 && ++asked > 1 ? 0 : super.size();
                    }
                },
                "a_buffer_of_4095_bytes_has_that_many_or_more_and_always_as_many");
    }

    @Test
    void dirty_memory_is_noticed() {
        assertFailing(
                request -> {
                    HeapBuffer buffer = good.allocate(request);
                    if (request.size() == 4096 || request.size() == 2 << 20) {
                        MemorySegment mapping = buffer.map(Access.READ_WRITE);
                        mapping.set(ValueLayout.JAVA_BYTE, buffer.size() - 1, (byte) 1);
                        buffer.unmap(mapping);
                    }
                    return buffer;
                },
                "a_new_buffer_of_4096_bytes_is_all_zero",
                "a_new_buffer_of_2097152_bytes_is_all_zero",
                "what_32_buffers_of_4096_bytes_held_never_shows_in_new_ones",
                "1024_buffers_of_4096_bytes_come_are_written_and_go",
                "1024_buffers_of_2097152_bytes_come_are_written_and_go",
                "100_threads_allocate_map_and_release_at_once");
    }

    @Test
    void memory_that_was_used_before_is_noticed() {
        // Small ones only, and never exported ones.
        Recycling broken =
                new Recycling(request -> request.export() == ExportMode.NONE && request.size() == 4096, false);
        assertFailing(
                broken,
                "what_32_buffers_of_4096_bytes_held_never_shows_in_new_ones",
                "100_threads_allocate_map_and_release_at_once");
    }

    @Test
    void zeroed_memory_that_a_peer_still_holds_is_noticed() {
        assertFailing(
                new Recycling(request -> request.export() != ExportMode.READ_ONLY, true),
                "memory_that_a_peer_still_has_goes_to_no_other_buffer",
                "memory_lives_on_with_a_peer_after_release");
    }

    @Test
    void memory_that_is_cleared_when_its_owner_first_maps_it_is_noticed() {
        assertFailing(
                request -> {
                    HeapBuffer buffer = good.allocate(request);
                    if (request.export() != ExportMode.READ_WRITE) {
                        return buffer;
                    }
                    // The earlier contents of the memory.
                    MemorySegment mapping = buffer.map(Access.READ_WRITE);
                    mapping.set(ValueLayout.JAVA_BYTE, buffer.size() - 1, (byte) 1);
                    buffer.unmap(mapping);
                    return new ForwardingBuffer(buffer) {
                        private final AtomicBoolean cleared = new AtomicBoolean();

                        @Override
                        public MemorySegment map(Access access) {
                            if (!cleared.getAndSet(true)) {
                                MemorySegment whole = super.map(Access.READ_WRITE);
                                whole.set(ValueLayout.JAVA_BYTE, size() - 1, (byte) 0);
                                super.unmap(whole);
                            }
                            return super.map(access);
                        }
                    };
                },
                "a_write_through_a_mapping_of_the_descriptor_shows_in_the_buffer",
                "a_peer_that_maps_before_the_owner_sees_zeros_and_what_it_writes_stays");
    }

    @Test
    void a_descriptor_that_a_refusal_leaves_is_noticed() {
        assertFailing(
                request -> {
                    if (request.alignment() > Bytes.PAGE) {
                        Syscalls.linux().memfdCreate("left", 1);
                    }
                    return good.allocate(request);
                },
                "an_alignment_above_the_announced_one_is_refused",
                "an_absurd_size_is_refused_before_it_is_tried", // the case checks whether alignments are refused
                "a_refusal_names_the_heap_and_the_size",
                "refusals_leave_nothing_behind",
                "after_refusals_the_heap_serves_as_before");
    }

    @Test
    void a_buffer_that_is_not_released_is_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    @Override
                    public void release() {
                        if (request.alignment() != Bytes.PAGE) {
                            super.release();
                        }
                    }
                },
                "every_alignment_up_to_the_announced_one_is_granted");
    }

    @Test
    void a_mapping_that_stays_is_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    @Override
                    public void unmap(MemorySegment mapping) {
                        if (request.size() != 4095) {
                            super.unmap(mapping);
                        }
                    }
                },
                "a_new_buffer_of_4095_bytes_is_all_zero");
    }

    @Test
    void a_descriptor_that_a_child_process_would_inherit_is_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    @Override
                    public int descriptor() {
                        Syscalls.linux().fcntl(super.descriptor(), F_SETFD, 0);
                        return super.descriptor();
                    }
                },
                "the_descriptor_is_closed_on_exec");
    }

    @Test
    void a_descriptor_for_each_call_is_noticed() {
        HeapExporter broken = request -> new ForwardingBuffer(good.allocate(request)) {
            @Override
            public int descriptor() {
                // The descriptor is close-on-exec and of the right file, but is never closed.
                return Syscalls.linux().fcntl(super.descriptor(), 1030, 0);
            }
        };
        assertFailing(
                broken,
                "the_descriptor_is_the_same_on_every_call",
                "the_descriptor_is_closed_on_exec",
                "a_descriptor_is_a_dma_buf_if_and_only_if_the_heap_announces_it", // it leaves a descriptor
                "the_descriptor_is_one_buffers_and_no_others",
                "those_who_have_the_descriptor_cannot_change_its_size",
                "a_write_shows_in_a_mapping_of_the_descriptor",
                "a_write_through_a_mapping_of_the_descriptor_shows_in_the_buffer",
                "a_peer_that_maps_before_the_owner_sees_zeros_and_what_it_writes_stays",
                "brackets_work_while_a_peer_has_the_descriptor",
                "memory_lives_on_with_a_peer_after_release",
                "memory_that_a_peer_still_has_goes_to_no_other_buffer",
                "a_descriptor_for_reading_cannot_be_mapped_for_writing",
                "a_descriptor_for_reading_cannot_be_reopened_for_writing",
                "a_descriptor_for_reading_does_not_let_a_write_through",
                "the_owner_writes_what_a_descriptor_for_reading_shows");
    }

    @Test
    void a_descriptor_in_spite_of_exportable_false_is_noticed() {
        assertFailing(
                request -> good.allocate(
                        request.export() == ExportMode.NONE ? request.withExport(ExportMode.READ_WRITE) : request),
                "a_buffer_made_without_a_descriptor_refuses_one");
    }

    @Test
    void one_region_for_several_buffers_is_noticed() {
        HeapBuffer region = good.allocate(HeapRequest.of(256 << 10));
        assertFailing(
                request -> request.export() != ExportMode.READ_WRITE || request.size() != 64 << 10
                        ? good.allocate(request)
                        : new ForwardingBuffer(good.allocate(request)) {
                            @Override
                            public int descriptor() {
                                return region.descriptor();
                            }
                        },
                "the_descriptor_is_one_buffers_and_no_others",
                "a_write_shows_in_a_mapping_of_the_descriptor",
                "a_write_through_a_mapping_of_the_descriptor_shows_in_the_buffer",
                "a_peer_that_maps_before_the_owner_sees_zeros_and_what_it_writes_stays",
                "memory_lives_on_with_a_peer_after_release",
                "memory_that_a_peer_still_has_goes_to_no_other_buffer");
        region.release();
    }

    @Test
    void missing_seals_are_noticed() {
        FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
        kernel.answer("fcntl", 0); // reports success and does nothing
        MemfdSource unsealed = MemfdSource.open("camera", kernel, Headroom.machine());
        assertFailing(
                unsealed,
                Heaps.announced(unsealed),
                "those_who_have_the_descriptor_cannot_change_its_size",
                "a_descriptor_for_reading_cannot_be_reopened_for_writing",
                "a_descriptor_for_reading_does_not_let_a_write_through");
    }

    @Test
    void a_writable_descriptor_for_a_reader_is_noticed() {
        assertFailing(
                request -> good.allocate(
                        request.export() == ExportMode.READ_ONLY ? request.withExport(ExportMode.READ_WRITE) : request),
                "a_descriptor_for_reading_cannot_be_mapped_for_writing",
                "a_descriptor_for_reading_cannot_be_reopened_for_writing",
                "a_descriptor_for_reading_does_not_let_a_write_through");
    }

    @Test
    void a_weaker_descriptor_than_was_asked_for_is_noticed() {
        assertFailing(
                request -> good.allocate(
                        request.export() == ExportMode.READ_ONLY ? request.withExport(ExportMode.READ_WRITE) : request),
                Heaps.announced(good, Map.of(HeapProperties.EXPORT_READONLY, false)),
                "an_export_for_reading_that_cannot_be_had_is_refused",
                "a_refusal_names_the_heap_and_the_size",
                "refusals_leave_nothing_behind",
                "after_refusals_the_heap_serves_as_before");
    }

    @Test
    void a_wrong_error_number_is_noticed() {
        assertFailing(
                request -> {
                    if (request.alignment() > Bytes.PAGE) {
                        throw refusal(Errno.ENOMEM, request); // would make the broker try the next heap
                    }
                    return good.allocate(request);
                },
                "an_alignment_above_the_announced_one_is_refused",
                "an_absurd_size_is_refused_before_it_is_tried");
    }

    @Test
    void another_exception_than_a_heap_exception_is_noticed() {
        assertFailing(
                request -> {
                    if (request.alignment() > Bytes.PAGE) {
                        throw new IllegalArgumentException("an alignment of more than a page");
                    }
                    return good.allocate(request);
                },
                "an_alignment_above_the_announced_one_is_refused",
                "an_absurd_size_is_refused_before_it_is_tried",
                "a_refusal_names_the_heap_and_the_size",
                "refusals_leave_nothing_behind",
                "after_refusals_the_heap_serves_as_before");
    }

    @Test
    void a_heap_without_a_check_for_a_null_request_is_noticed() {
        HeapExporter broken = request -> request.size() == 0 ? null : good.allocate(request);
        Set<String> expected = Set.of("a_request_that_is_null_is_refused");
        assertEquals(expected, Heaps.failing(broken, Heaps.announced(good), expected));
    }

    @Test
    void a_refusal_without_information_is_noticed() {
        assertFailing(
                request -> {
                    if (request.alignment() > Bytes.PAGE) {
                        throw HeapException.of(Errno.EINVAL, "camera", "invalid argument");
                    }
                    return good.allocate(request);
                },
                "a_refusal_names_the_heap_and_the_size");
    }

    @Test
    void an_absurd_size_that_is_granted_is_noticed() {
        assertFailing(
                request -> good.allocate(request.size() > 1L << 40 ? request.withSize(1) : request),
                "an_absurd_size_is_refused_before_it_is_tried");
    }

    @Test
    void a_heap_without_any_check_is_noticed_and_not_asked_for_an_absurd_size() {
        long[] largest = new long[1];
        assertFailing(
                request -> {
                    largest[0] = Math.max(largest[0], request.size());
                    return good.allocate(request.withAlignment(1));
                },
                "an_alignment_above_the_announced_one_is_refused",
                "an_absurd_size_is_refused_before_it_is_tried",
                "a_refusal_names_the_heap_and_the_size",
                "refusals_leave_nothing_behind",
                "after_refusals_the_heap_serves_as_before");
        assertEquals(16 << 20, largest[0]);
    }

    @Test
    void cpu_accesses_that_do_not_nest_are_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    private Access open;

                    @Override
                    public void beginCpuAccess(Access access) {
                        if (open != null) {
                            throw refusal(Errno.EBUSY, request);
                        }
                        open = access;
                    }

                    @Override
                    public void endCpuAccess(Access access) {
                        open = null;
                    }
                },
                "brackets_nest_and_overlap");
    }

    @Test
    void cpu_accesses_that_need_a_mapping_are_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    private int mappings;

                    @Override
                    public MemorySegment map(Access access) {
                        mappings++;
                        return super.map(access);
                    }

                    @Override
                    public void beginCpuAccess(Access access) {
                        if (mappings == 0) {
                            throw refusal(Errno.EINVAL, request);
                        }
                    }
                },
                "brackets_of_every_direction_work_before_any_mapping",
                "brackets_nest_and_overlap",
                "brackets_work_while_a_peer_has_the_descriptor");
    }

    @Test
    void a_cpu_access_that_loses_written_data_is_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    @Override
                    public void beginCpuAccess(Access access) {
                        // Imitates a cache that is invalidated without a write-back.
                        if (access == Access.READ && request.size() == 1 << 20) {
                            MemorySegment mapping = super.map(Access.READ_WRITE);
                            mapping.fill((byte) 0);
                            super.unmap(mapping);
                        }
                    }
                },
                "what_one_bracket_wrote_the_next_one_reads");
    }

    @Test
    void a_direction_that_cannot_be_mapped_is_noticed() {
        assertFailing(
                request -> new ForwardingBuffer(good.allocate(request)) {
                    @Override
                    public MemorySegment map(Access access) {
                        if (access == Access.WRITE) {
                            throw refusal(Errno.EINVAL, request);
                        }
                        return super.map(access);
                    }
                },
                "a_buffer_maps_in_every_direction");
    }

    @Test
    void a_heap_that_runs_dry_is_noticed() {
        AtomicInteger since = new AtomicInteger();
        assertFailing(
                new Heap(good) {
                    @Override
                    public HeapBuffer allocate(HeapRequest request) {
                        HeapBuffer buffer = super.allocate(request);
                        if (since.incrementAndGet() > 1000) {
                            buffer.release();
                            throw refusal(Errno.ENOMEM, request);
                        }
                        return buffer;
                    }

                    @Override
                    public long trim(long bytes) {
                        since.set(0); // only this recovers released memory
                        return 0;
                    }
                },
                "1024_buffers_of_4096_bytes_come_and_go",
                "1024_buffers_of_4096_bytes_come_are_written_and_go",
                "1024_buffers_of_65536_bytes_come_and_go",
                "1024_buffers_of_65536_bytes_come_are_written_and_go",
                "1024_buffers_of_1048576_bytes_come_and_go",
                "1024_buffers_of_1048576_bytes_come_are_written_and_go",
                "1024_buffers_of_2097152_bytes_come_and_go",
                "1024_buffers_of_2097152_bytes_come_are_written_and_go",
                "100_threads_allocate_map_and_release_at_once");
    }

    @Test
    void memory_that_is_reusable_only_in_the_order_of_a_stack_is_noticed() {
        Deque<HeapBuffer> live = new ConcurrentLinkedDeque<>();
        Deque<HeapBuffer> lost = new ConcurrentLinkedDeque<>();
        assertFailing(
                request -> {
                    HeapBuffer buffer = new ForwardingBuffer(good.allocate(request)) {
                        @Override
                        public void release() {
                            if (live.peekLast() == this) {
                                super.release();
                            } else {
                                lost.add(good);
                            }
                            live.remove(this);
                        }
                    };
                    live.add(buffer);
                    return buffer;
                },
                "what_32_buffers_of_4096_bytes_held_never_shows_in_new_ones",
                "memory_that_a_peer_still_has_goes_to_no_other_buffer",
                "a_peer_that_maps_before_the_owner_sees_zeros_and_what_it_writes_stays",
                "buffers_are_released_in_any_order");
        lost.forEach(HeapBuffer::release);
    }

    @Test
    void a_name_that_is_too_long_for_the_heap_is_noticed() {
        assertFailing(
                request -> {
                    if (request.name().orElse("").length() > 16) {
                        throw refusal(Errno.EINVAL, request);
                    }
                    return good.allocate(request);
                },
                "a_name_of_31_bytes_is_taken");
    }

    @Test
    void a_private_copy_for_each_mapping_is_noticed() {
        assertFailing(
                request -> request.export() != ExportMode.NONE || request.size() != 64 << 10
                        ? good.allocate(request)
                        : new ForwardingBuffer(good.allocate(request)) {
                            @Override
                            public MemorySegment map(Access access) {
                                return MemorySegment.ofArray(new byte[(int) size()]);
                            }

                            @Override
                            public void unmap(MemorySegment mapping) {}
                        },
                "a_write_through_one_mapping_shows_in_another",
                "a_mapping_outlives_the_others_of_its_buffer",
                "two_buffers_share_no_byte",
                "a_buffer_is_used_and_released_by_threads_that_did_not_make_it",
                "trimming_gives_back_no_less_than_nothing_and_no_live_memory",
                "100_threads_allocate_map_and_release_at_once");
    }

    @Test
    void figures_that_contradict_each_other_are_noticed() {
        assertFailing(
                new Heap(good) {
                    @Override
                    public HeapUsage usage() {
                        return HeapUsage.unknown().withFree(1 << 20).withLargestFree(2 << 20);
                    }

                    @Override
                    public long trim(long bytes) {
                        return -1;
                    }
                },
                "the_usage_makes_sense_however_often_it_is_asked",
                "trimming_gives_back_no_less_than_nothing_and_no_live_memory");
    }

    @Test
    void an_impossible_announcement_is_noticed() {
        assertFailing(
                good,
                Heaps.announced(
                        good,
                        Map.of(
                                HeapProperties.ID,
                                64,
                                HeapProperties.PRIORITY,
                                3L,
                                HeapProperties.PROTECTED,
                                true,
                                HeapProperties.EMULATES,
                                new String[] {"protected"})),
                "each_announced_property_has_its_type_and_range",
                "what_is_announced_as_real_is_not_announced_as_emulated");
    }

    @Test
    void memory_nodes_that_are_no_integers_are_noticed() {
        assertFailing(
                good,
                Heaps.announced(good, Map.of(HeapProperties.NUMA, new String[] {"0", "1"})),
                "each_announced_property_has_its_type_and_range");
    }

    @Test
    void a_name_that_is_a_path_is_noticed() {
        MemfdSource source = MemfdSource.open("../camera", Syscalls.linux(), Headroom.machine());
        assertFailing(
                source,
                Heaps.announced(source, Map.of(HeapProperties.NAME, "../camera")),
                "the_heap_is_announced_by_a_name_that_can_be_one");
    }

    @Test
    void memory_that_maps_though_it_is_announced_as_unmappable_is_noticed() {
        assertFailing(
                good,
                Heaps.announced(good, Map.of(HeapProperties.MAPPABLE, false)),
                "memory_that_cannot_be_mapped_says_so");
    }

    @Test
    void memfds_that_are_announced_as_dma_bufs_are_noticed() {
        assertFailing(
                good,
                Heaps.announced(good, Map.of(HeapProperties.DMABUF, true)),
                "a_descriptor_is_a_dma_buf_if_and_only_if_the_heap_announces_it");
    }

    @Test
    void addresses_outside_of_the_announced_range_are_noticed() {
        assumeAddressesAreVisible();
        assertFailing(
                good,
                Heaps.announced(good, Map.of(HeapProperties.ADDRESS_MIN, 0L, HeapProperties.ADDRESS_MAX, 4095L)),
                "physical_addresses_are_within_the_announced_range");
        assertFailing(
                good,
                Heaps.announced(good, Map.of(HeapProperties.DMA_BITS, 12)),
                "physical_addresses_are_within_the_announced_range");
    }

    @Test
    void memory_of_single_pages_that_is_announced_as_contiguous_is_noticed() {
        assumeAddressesAreVisible();
        try (Arena arena = Arena.ofShared()) {
            assertFailing(
                    request -> request.size() != 1 << 20
                            ? good.allocate(request)
                            : new ForwardingBuffer(good.allocate(request)) {
                                private final MemorySegment scattered = scattered(arena, size());

                                @Override
                                public MemorySegment map(Access access) {
                                    return scattered;
                                }

                                @Override
                                public void unmap(MemorySegment mapping) {}
                            },
                    Heaps.announced(good, Map.of(HeapProperties.CONTIGUOUS_MAX, 1L << 20)),
                    "memory_has_the_announced_physical_runs");
        }
    }

    /** Makes memory whose pages come from the machine in turn with those of other memory. */
    private static MemorySegment scattered(Arena arena, long size) {
        MemorySegment one = arena.allocate(size, Bytes.PAGE);
        MemorySegment other = arena.allocate(size, Bytes.PAGE);
        for (long offset = 0; offset < size; offset += Bytes.PAGE) {
            one.set(ValueLayout.JAVA_BYTE, offset, (byte) 0);
            other.set(ValueLayout.JAVA_BYTE, offset, (byte) 0);
        }
        return one;
    }

    private void assumeAddressesAreVisible() {
        PhysicalPages.unlessVisible(new HeapUnderTest(good, Heaps.announced(good), Duration.ZERO, Company.ALONE))
                .ifPresent(reason -> {
                    System.out.println("skipped: " + reason);
                    Assumptions.abort(reason);
                });
    }

    /** An exporter to override methods of. */
    private static class Heap implements HeapExporter {
        final HeapExporter good;

        Heap(HeapExporter good) {
            this.good = good;
        }

        @Override
        public HeapBuffer allocate(HeapRequest request) {
            return good.allocate(request);
        }
    }

    /** Keeps released buffers for the next request of the same size, as a pool does. */
    private final class Recycling extends Heap {
        private final Predicate<HeapRequest> which;
        private final boolean zeroing;
        private final Deque<HeapBuffer> pool = new ArrayDeque<>();

        Recycling(Predicate<HeapRequest> which, boolean zeroing) {
            super(BrokenHeapsTest.this.good);
            this.which = which;
            this.zeroing = zeroing;
        }

        @Override
        public HeapBuffer allocate(HeapRequest request) {
            HeapBuffer checked = super.allocate(request);
            if (!which.test(request)) {
                return checked;
            }
            HeapBuffer buffer = pooled(checked.size());
            if (buffer != null) {
                checked.release();
            } else {
                buffer = checked;
            }
            return new ForwardingBuffer(buffer) {
                @Override
                public int descriptor() {
                    if (request.export() == ExportMode.NONE) {
                        throw refusal(Errno.ENOTSUP, request);
                    }
                    return super.descriptor();
                }

                @Override
                public void release() {
                    if (zeroing) {
                        MemorySegment mapping = map(Access.READ_WRITE);
                        mapping.fill((byte) 0);
                        unmap(mapping);
                    }
                    synchronized (pool) {
                        pool.add(good);
                    }
                }
            };
        }

        private HeapBuffer pooled(long size) {
            synchronized (pool) {
                for (HeapBuffer buffer : pool) {
                    if (buffer.size() == size) {
                        pool.remove(buffer);
                        return buffer;
                    }
                }
                return null;
            }
        }

        @Override
        public long trim(long bytes) {
            synchronized (pool) {
                long given = 0;
                while (!pool.isEmpty() && given < bytes) {
                    given += pool.getFirst().size();
                    pool.removeFirst().release();
                }
                return given;
            }
        }
    }
}
