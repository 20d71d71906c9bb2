// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.dmabuf.heap.tck.BrokenHeap.announcing;
import static org.dmabuf.heap.tck.BrokenHeap.refusal;
import static org.dmabuf.heap.tck.BrokenHeap.serving;
import static org.dmabuf.heap.tck.BrokenHeap.wrapping;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import java.util.stream.Stream;
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
import org.dmabuf.heap.tck.BrokenBuffers.BeginningWhen;
import org.dmabuf.heap.tck.BrokenBuffers.Duplicating;
import org.dmabuf.heap.tck.BrokenBuffers.ExportingACopy;
import org.dmabuf.heap.tck.BrokenBuffers.Mapped;
import org.dmabuf.heap.tck.BrokenBuffers.Showing;
import org.dmabuf.heap.tck.BrokenBuffers.SizedByUse;
import org.dmabuf.heap.tck.BrokenExporters.Exhausted;
import org.dmabuf.heap.tck.BrokenExporters.FewThreads;
import org.dmabuf.heap.tck.BrokenExporters.LeavingDescriptors;
import org.dmabuf.heap.tck.BrokenExporters.Recycling;
import org.dmabuf.heap.tck.BrokenExporters.SharingOne;
import org.dmabuf.heap.tck.BrokenExporters.Small;
import org.dmabuf.heap.tck.BrokenExporters.Stack;
import org.dmabuf.heap.tck.BrokenExporters.Sulking;
import org.dmabuf.heap.tck.BrokenExporters.UsageOfItsThreads;
import org.dmabuf.heap.tck.BrokenHeap.Forwarding;

/**
 * Table of broken heaps, in the order of the cases. Each is a good heap with the smallest change that breaks one
 * requirement. All of them refuse an absurd size before they call the kernel.
 */
final class BrokenHeaps {
    private static final int F_SETFD = 2;
    private static final long KIB64 = 64 << 10;
    private static final long MIB = 1 << 20;
    private static final long[] SIZES = {1, 4095, 4096, 4097, KIB64, MIB, 2 * MIB, 16 * MIB};

    private static final String SHARED = "a_write_through_one_mapping_shows_in_another";
    private static final String LAST = "a_mapping_outlives_the_others_of_its_buffer";
    private static final String PEER_SEES = "a_write_shows_in_a_mapping_of_the_descriptor";
    private static final String OWNER_SEES = "a_write_through_a_mapping_of_the_descriptor_shows_in_the_buffer";
    private static final String PEER_FIRST = "a_peer_that_maps_before_the_owner_sees_zeros_and_what_it_writes_stays";
    private static final String APART = "two_buffers_share_no_byte";
    private static final String UNMAPPABLE = "memory_that_cannot_be_mapped_says_so";
    private static final String NESTING = "brackets_nest_and_overlap";
    private static final String WITH_PEER = "brackets_work_while_a_peer_has_the_descriptor";
    private static final String NO_DESCRIPTOR = "a_buffer_made_without_a_descriptor_refuses_one";
    private static final String SEALED = "those_who_have_the_descriptor_cannot_change_its_size";
    private static final String KEPT = "memory_lives_on_with_a_peer_after_release";
    private static final String NO_TENANT = "memory_that_a_peer_still_has_goes_to_no_other_buffer";
    private static final String NOT_MAPPED = "a_descriptor_for_reading_cannot_be_mapped_for_writing";
    private static final String NOT_REOPENED = "a_descriptor_for_reading_cannot_be_reopened_for_writing";
    private static final String NOT_WRITTEN = "a_descriptor_for_reading_does_not_let_a_write_through";
    private static final String OWNER_WRITES = "the_owner_writes_what_a_descriptor_for_reading_shows";
    private static final String REFUSED_EXPORT = "an_export_for_reading_that_cannot_be_had_is_refused";
    private static final String ABSURD = "an_absurd_size_is_refused_before_it_is_tried";
    private static final String ALIGNED = "an_alignment_above_the_announced_one_is_refused";
    private static final String NAMES = "a_refusal_names_the_heap_and_the_size";
    private static final String NOTHING = "refusals_leave_nothing_behind";
    private static final String AS_BEFORE = "after_refusals_the_heap_serves_as_before";
    private static final String USAGE = "the_usage_makes_sense_however_often_it_is_asked";
    private static final String TRIM = "trimming_gives_back_no_less_than_nothing_and_no_live_memory";
    private static final String ONE_BUFFER = "a_buffer_is_mapped_and_exported_by_8_threads_at_once";
    private static final String MANY_THREADS = "100_threads_allocate_map_and_release_at_once";
    private static final String INTERRUPTED = "an_interrupted_thread_gets_a_buffer_or_a_refusal_and_stays_interrupted";
    private static final String FULL = "a_full_heap_refuses_as_a_shortage_and_holds_as_much_again_after_a_release";
    private static final String ADDRESSES = "physical_addresses_are_within_the_announced_range";

    private BrokenHeaps() {}

    /** @param left collects what a heap leaves open, to be closed after the test */
    static Stream<BrokenHeap> all(List<AutoCloseable> left) {
        return Stream.of(
                        announcements(),
                        contents(),
                        mappings(),
                        brackets(),
                        descriptors(left),
                        readOnlyExports(),
                        refusals(left),
                        life(left),
                        threads(left),
                        capacities(),
                        truths())
                .flatMap(heaps -> heaps);
    }

    private static Stream<BrokenHeap> announcements() {
        String real = "what_is_announced_as_real_is_not_announced_as_emulated";
        return Stream.of(
                BrokenHeap.of(
                                "the_heap_is_announced_by_a_name_that_can_be_one",
                                "heap.name is '../camera'",
                                _ -> MemfdSource.open("../camera", Syscalls.linux(), Headroom.machine()))
                        .announcing(HeapProperties.NAME, "../camera"),
                announcing(
                        "each_announced_property_has_its_type_and_range",
                        "heap.id is 64 of java.lang.Integer",
                        Map.of(HeapProperties.ID, 64)),
                announcing(real, "heap.mappable is not false", Map.of(HeapProperties.PROTECTED, true)),
                announcing(
                        real,
                        "heap.protected=true, and heap.emulates has protected",
                        Map.of(HeapProperties.PROTECTED, true, HeapProperties.EMULATES, new String[] {"protected"})),
                announcing(
                        "the_lowest_announced_address_is_not_above_the_highest",
                        "heap.address.min=8192, and heap.address.max=4095",
                        Map.of(HeapProperties.ADDRESS_MIN, 8192L, HeapProperties.ADDRESS_MAX, 4095L),
                        ADDRESSES),
                announcing(
                        "each_announced_kind_of_demand_can_be_parsed",
                        "bank among acme.bank",
                        Map.of(HeapProperties.CONSTRAINT_KINDS, "bank among acme.bank")));
    }

    private static Stream<BrokenHeap> contents() {
        Stream<BrokenHeap> changing = LongStream.of(SIZES)
                .mapToObj(size -> wrapping(
                        "a_buffer_of_" + size + "_bytes_has_that_many_or_more_and_always_as_many",
                        " bytes, then " + (size - 1),
                        (buffer, request) -> request.size() != size ? buffer : new SizedByUse(buffer, size - 1)));
        BrokenHeap less = serving(
                "a_buffer_of_1048576_bytes_has_that_many_or_more_and_always_as_many",
                " has 524288 bytes, then 524288",
                (good, request) -> good.allocate(request.size() == MIB ? request.withSize(MIB / 2) : request));
        Stream<BrokenHeap> dirty = LongStream.of(SIZES)
                .mapToObj(size -> wrapping(
                        "a_new_buffer_of_" + size + "_bytes_is_all_zero",
                        " is 0x01 and not 0x00",
                        (buffer, request) -> isHidden(request, size) ? dirtied(buffer) : buffer,
                        size == 4096
                                ? new String[] {"what_32_buffers_of_4096_bytes_held_never_shows_in_new_ones"}
                                : size == KIB64 ? new String[] {APART} : new String[0]));
        Stream<BrokenHeap> recycled = LongStream.of(4096, MIB)
                .mapToObj(size -> BrokenHeap.of(
                        "what_32_buffers_of_" + size + "_bytes_held_never_shows_in_new_ones",
                        "is 0xff and not 0x00",
                        good -> new Recycling(good, request -> isHidden(request, size), false)));
        return Stream.of(changing, Stream.of(less), dirty, recycled).flatMap(heaps -> heaps);
    }

    private static Stream<BrokenHeap> mappings() {
        String whole = "a_mapping_has_every_byte_of_its_buffer_and_begins_at_a_page";
        return Stream.of(
                wrapping(
                        whole,
                        " bytes, and a mapping of it ",
                        (buffer, request) -> request.size() != 4097
                                ? buffer
                                : new Showing(buffer, mapping -> mapping.asSlice(0, mapping.byteSize() - 1))),
                wrapping(
                        whole,
                        "which is not that of a page",
                        (buffer, request) -> request.size() != 4097
                                ? buffer
                                : new Showing(
                                        buffer,
                                        mapping -> Arena.ofAuto()
                                                .allocate(mapping.byteSize() + 1, Bytes.PAGE)
                                                .asSlice(1))),
                wrapping(
                        whole,
                        "is an array of Java",
                        (buffer, request) -> request.size() != 4097
                                ? buffer
                                : new Showing(buffer, mapping -> MemorySegment.ofArray(new byte[8192]))),
                wrapping(
                        "a_buffer_maps_in_every_direction",
                        "65536 bytes were refused",
                        (buffer, request) -> new ForwardingBuffer(buffer) {
                            @Override
                            public MemorySegment map(Access access) {
                                if (access == Access.WRITE) {
                                    throw refusal(Errno.EINVAL, request);
                                }
                                return super.map(access);
                            }
                        }),
                wrapping(
                        SHARED,
                        "is 0x00 and not 0x5a",
                        (buffer, request) -> !isHidden(request, KIB64)
                                ? buffer
                                : new Mapped(buffer) {
                                    @Override
                                    MemorySegment show(MemorySegment mapping) {
                                        return open() == 1 || !isOwnThread() ? mapping : copy(mapping);
                                    }
                                },
                        LAST),
                wrapping(LAST, "is 0x00 and not 0x01", (buffer, request) -> new Mapped(buffer) {
                    @Override
                    public void unmap(MemorySegment mapping) {
                        if (open() == 3 && isOwnThread()) {
                            mapping.fill((byte) 0);
                        }
                        super.unmap(mapping);
                    }
                }),
                serving(
                        PEER_SEES,
                        "is 0x01 and not 0x02",
                        (good, request) -> request.export() != ExportMode.READ_WRITE || request.size() != KIB64
                                ? good.allocate(request)
                                : new ExportingACopy(good, request),
                        OWNER_SEES,
                        PEER_FIRST),
                wrapping(
                        OWNER_SEES,
                        "is 0x00 and not 0x07",
                        (buffer, request) ->
                                request.export() != ExportMode.READ_WRITE ? buffer : onFirstMapping(buffer, (byte) 0),
                        PEER_FIRST),
                wrapping(
                        PEER_FIRST,
                        "is 0x01 and not 0x00",
                        (buffer, request) -> request.export() != ExportMode.READ_ONLY || request.size() != KIB64
                                ? buffer
                                : onFirstMapping(dirtied(buffer), (byte) 0),
                        OWNER_WRITES),
                BrokenHeap.of(APART, "is 0x01 and not 0x00", good -> new SharingOne(good)),
                announcing(UNMAPPABLE, "was mapped for READ", Map.of(HeapProperties.MAPPABLE, false)),
                wrapping(
                                UNMAPPABLE,
                                "refused with EIO, expected EINVAL",
                                (buffer, request) -> new ForwardingBuffer(buffer) {
                                    @Override
                                    public MemorySegment map(Access access) {
                                        throw refusal(Errno.EIO, request);
                                    }
                                })
                        .announcing(HeapProperties.MAPPABLE, false));
    }

    private static Stream<BrokenHeap> brackets() {
        return Stream.of(
                wrapping(
                        "brackets_of_every_direction_work_before_any_mapping",
                        "1048576 bytes were refused",
                        (buffer, request) -> new BeginningWhen(buffer, request, BeginningWhen::everMapped),
                        NESTING,
                        WITH_PEER),
                wrapping(
                        NESTING,
                        "1048576 bytes were refused",
                        (buffer, request) ->
                                new BeginningWhen(buffer, request, b -> b.accesses() == 0 || b.size() < MIB)),
                wrapping(
                        WITH_PEER,
                        "1048576 bytes were refused",
                        (buffer, request) -> new BeginningWhen(buffer, request, b -> !b.exported() || b.everMapped())),
                wrapping(
                        "what_one_bracket_wrote_the_next_one_reads",
                        "is 0x00 and not 0x01",
                        (buffer, request) -> new ForwardingBuffer(buffer) {
                            @Override
                            public void beginCpuAccess(Access access) {
                                // Imitates a cache that is invalidated without a write-back.
                                if (access == Access.READ && request.size() == MIB) {
                                    write(good, mapping -> mapping.fill((byte) 0));
                                }
                            }
                        }));
    }

    private static Stream<BrokenHeap> descriptors(List<AutoCloseable> left) {
        HeapBuffer region = Heaps.good().allocate(HeapRequest.of(4 * KIB64));
        left.add(region::release);
        return Stream.of(
                wrapping(
                        "the_descriptor_is_the_same_on_every_call",
                        " has descriptor ",
                        (buffer, request) -> new Duplicating(buffer, b -> b.calls() == 2),
                        ONE_BUFFER),
                wrapping(
                        "the_descriptor_is_closed_on_exec",
                        "no O_CLOEXEC",
                        (buffer, request) -> new ForwardingBuffer(buffer) {
                            @Override
                            public int descriptor() {
                                Syscalls.linux().fcntl(super.descriptor(), F_SETFD, 0);
                                return super.descriptor();
                            }
                        }),
                wrapping(
                        "the_descriptor_is_one_buffers_and_no_others",
                        " and another are both inode ",
                        (buffer, request) -> request.export() != ExportMode.READ_WRITE || request.size() != KIB64
                                ? buffer
                                : new Mapped(buffer) {
                                    @Override
                                    public int descriptor() {
                                        return everMapped() ? super.descriptor() : region.descriptor();
                                    }
                                },
                        OWNER_SEES,
                        PEER_FIRST,
                        ONE_BUFFER),
                serving(
                        "the_descriptor_is_one_buffers_and_no_others",
                        " has 65536 bytes, and its file 196608",
                        (good, request) -> request.export() != ExportMode.READ_WRITE || request.size() != KIB64
                                ? good.allocate(request)
                                : new ExportingACopy(good, request, 3 * KIB64),
                        PEER_SEES,
                        OWNER_SEES,
                        PEER_FIRST),
                serving(
                        NO_DESCRIPTOR,
                        "expected a refusal with ENOTSUP",
                        (good, request) -> good.allocate(
                                request.export() == ExportMode.NONE
                                        ? request.withExport(ExportMode.READ_WRITE)
                                        : request)),
                wrapping(
                        NO_DESCRIPTOR,
                        "refused with EINVAL, expected ENOTSUP",
                        (buffer, request) -> request.export() != ExportMode.NONE
                                ? buffer
                                : new ForwardingBuffer(buffer) {
                                    @Override
                                    public int descriptor() {
                                        throw refusal(Errno.EINVAL, request);
                                    }
                                }),
                BrokenHeap.of(SEALED, "could be given a size of 0", _ -> unsealed(), NOT_REOPENED, NOT_WRITTEN),
                wrapping(
                        KEPT,
                        "is 0x00 and not 0x5a",
                        (buffer, request) -> request.export() != ExportMode.READ_WRITE
                                ? buffer
                                : new ForwardingBuffer(buffer) {
                                    @Override
                                    public void release() {
                                        write(good, mapping -> mapping.fill((byte) 0));
                                        super.release();
                                    }
                                },
                        NO_TENANT),
                BrokenHeap.of(
                        NO_TENANT,
                        "is 0xa5 and not 0x5a",
                        good -> new Recycling(good, request -> request.export() == ExportMode.READ_WRITE, true)));
    }

    /** Returns a heap whose memfds have no seals, because the kernel reports success and does nothing. */
    private static HeapExporter unsealed() {
        FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
        kernel.answer("fcntl", 0);
        return MemfdSource.open("camera", kernel, Headroom.machine());
    }

    private static Stream<BrokenHeap> readOnlyExports() {
        return Stream.of(
                serving(
                        NOT_MAPPED,
                        "could be mapped for writing by a peer",
                        (good, request) -> good.allocate(
                                request.export() == ExportMode.READ_ONLY
                                        ? request.withExport(ExportMode.READ_WRITE)
                                        : request),
                        NOT_REOPENED,
                        NOT_WRITTEN),
                BrokenHeap.of(
                        NOT_REOPENED, "could be mapped for writing by a peer", _ -> unsealed(), NOT_WRITTEN, SEALED),
                BrokenHeap.of(NOT_WRITTEN, "could be written by a peer", _ -> unsealed(), NOT_REOPENED, SEALED),
                serving(
                        OWNER_WRITES,
                        "is 0x00 and not 0x01",
                        (good, request) -> request.export() != ExportMode.READ_ONLY || request.size() != KIB64
                                ? good.allocate(request)
                                : new ExportingACopy(good, request),
                        PEER_SEES),
                serving(
                                REFUSED_EXPORT,
                                "was refused with ENOMEM, expected one of [EINVAL, ENOTSUP]",
                                (good, request) -> {
                                    if (request.export() == ExportMode.READ_ONLY) {
                                        throw refusal(Errno.ENOMEM, request); // the broker would try the next heap
                                    }
                                    return good.allocate(request);
                                })
                        .announcing(HeapProperties.EXPORT_READONLY, false),
                announcing(
                        REFUSED_EXPORT,
                        "succeeded, expected a refusal",
                        Map.of(HeapProperties.EXPORT_READONLY, false),
                        NAMES,
                        NOTHING,
                        AS_BEFORE));
    }

    private static Stream<BrokenHeap> refusals(List<AutoCloseable> left) {
        return Stream.of(
                BrokenHeap.of(
                        "a_request_that_is_null_is_refused",
                        "java.lang.NullPointerException",
                        good -> request -> request.size() == 0 ? null : good.allocate(request)),
                serving(
                        ABSURD,
                        "succeeded, expected a refusal",
                        (good, request) -> good.allocate(request.size() > 1L << 40 ? request.withSize(1) : request)),
                serving(
                        ALIGNED,
                        "was refused with ENOMEM, expected one of [EINVAL]",
                        (good, request) -> {
                            if (request.alignment() > Bytes.PAGE) {
                                throw refusal(Errno.ENOMEM, request); // the broker would try the next heap
                            }
                            return good.allocate(request);
                        },
                        ABSURD),
                serving(
                        "every_alignment_up_to_the_announced_one_is_granted",
                        "65536 bytes were refused",
                        (good, request) -> {
                            if (request.alignment() == Bytes.PAGE) {
                                throw refusal(Errno.EINVAL, request);
                            }
                            return good.allocate(request);
                        }),
                serving(NAMES, "the refusal does not name the size 1: ", (good, request) -> {
                    if (request.alignment() > Bytes.PAGE) {
                        throw HeapException.of(Errno.EINVAL, "camera", "invalid argument");
                    }
                    return good.allocate(request);
                }),
                serving(NAMES, "the refusal names heap 'video', expected 'camera'", (good, request) -> {
                    if (request.alignment() > Bytes.PAGE) {
                        throw HeapException.of(Errno.EINVAL, "video", request.size() + " bytes were refused");
                    }
                    return good.allocate(request);
                }),
                BrokenHeap.of(NOTHING, "/memfd:refused", good -> new LeavingDescriptors(good, left)),
                BrokenHeap.of(AS_BEFORE, "65536 bytes were refused", Sulking::new));
    }

    private static Stream<BrokenHeap> life(List<AutoCloseable> left) {
        long[] sizes = {4096, KIB64, MIB, 2 * MIB};
        Stream<BrokenHeap> dry = LongStream.of(sizes)
                .mapToObj(size -> BrokenHeap.of(
                        "1024_buffers_of_" + size + "_bytes_come_and_go",
                        size + " bytes were refused",
                        good -> new Exhausted(good, size) {
                            @Override
                            HeapBuffer changed(HeapRequest request, HeapBuffer buffer) {
                                buffer.release();
                                throw refusal(Errno.ENOMEM, request);
                            }
                        },
                        "1024_buffers_of_" + size + "_bytes_come_are_written_and_go"));
        Stream<BrokenHeap> dirty = LongStream.of(sizes)
                .mapToObj(size -> BrokenHeap.of(
                        "1024_buffers_of_" + size + "_bytes_come_are_written_and_go",
                        "the 1000th, is not zero at " + (size - 1),
                        good -> new Exhausted(good, size) {
                            @Override
                            HeapBuffer changed(HeapRequest request, HeapBuffer buffer) {
                                return dirtied(buffer);
                            }
                        }));
        Stream<BrokenHeap> others = Stream.of(
                BrokenHeap.of("buffers_are_released_in_any_order", "left behind", good -> new Stack(good, left)),
                serving("a_name_of_31_bytes_is_taken", "1 bytes were refused", (good, request) -> {
                    if (request.name().orElse("").length() > 16) {
                        throw refusal(Errno.EINVAL, request);
                    }
                    return good.allocate(request);
                }),
                serving("a_name_of_31_bytes_is_taken", "java.lang.StackOverflowError", (good, request) -> {
                    if (request.name().isPresent()) {
                        throw new StackOverflowError();
                    }
                    return good.allocate(request);
                }),
                serving("a_request_of_a_client_is_served", "1 bytes were refused", (good, request) -> {
                    if (request.client().isPresent()) {
                        throw refusal(Errno.EACCES, request);
                    }
                    return good.allocate(request);
                }),
                BrokenHeap.of(USAGE, "largest OptionalLong[2097152]", good -> new Forwarding(good) {
                    @Override
                    public HeapUsage usage() {
                        return HeapUsage.unknown().withFree(MIB).withLargestFree(2 * MIB);
                    }
                }),
                BrokenHeap.of(
                        USAGE,
                        "usage() returned null",
                        good -> new Forwarding(good) {
                            @Override
                            public HeapUsage usage() {
                                return null;
                            }
                        },
                        "usage_and_trim_return_while_other_threads_allocate"),
                BrokenHeap.of(TRIM, "trim(1) returned -1", good -> new Forwarding(good) {
                    @Override
                    public long trim(long bytes) {
                        return bytes == 1 ? -1 : super.trim(bytes);
                    }
                }),
                BrokenHeap.of(TRIM, "java.lang.UnsupportedOperationException", good -> new Forwarding(good) {
                    @Override
                    public long trim(long bytes) {
                        if (bytes == 0) {
                            throw new UnsupportedOperationException();
                        }
                        return super.trim(bytes);
                    }
                }));
        return Stream.of(dry, dirty, others).flatMap(heaps -> heaps);
    }

    private static Stream<BrokenHeap> threads(List<AutoCloseable> left) {
        return Stream.of(
                wrapping(
                        "a_buffer_is_used_and_released_by_threads_that_did_not_make_it",
                        "1 of 1 threads failed, the first with: java.lang.WrongThreadException",
                        (buffer, request) -> new Mapped(buffer) {
                            private final Map<Thread, Boolean> mapping = new ConcurrentHashMap<>();

                            @Override
                            MemorySegment show(MemorySegment shown) {
                                mapping.put(Thread.currentThread(), true);
                                return shown;
                            }

                            @Override
                            public void unmap(MemorySegment shown) {
                                super.unmap(shown);
                                if (!mapping.containsKey(Thread.currentThread())) {
                                    throw new WrongThreadException();
                                }
                            }
                        }),
                wrapping(
                        ONE_BUFFER,
                        " has the descriptors [",
                        (buffer, request) -> new Duplicating(buffer, b -> b.owner != Thread.currentThread())),
                BrokenHeap.of(MANY_THREADS, " of 100 threads failed, the first with: ", FewThreads::new),
                BrokenHeap.of(
                        "usage_and_trim_return_while_other_threads_allocate",
                        "java.lang.WrongThreadException",
                        UsageOfItsThreads::new),
                serving(INTERRUPTED, "cleared the interrupt of the thread", (good, request) -> {
                    Thread.interrupted();
                    return good.allocate(request);
                }),
                serving(INTERRUPTED, "refused with EIO, expected EINTR", (good, request) -> {
                    if (Thread.currentThread().isInterrupted()) {
                        throw refusal(Errno.EIO, request);
                    }
                    return good.allocate(request);
                }),
                serving("allocations_leave_no_thread_for_each", "32 more: thread 'camera-'", (good, request) -> {
                    HeapBuffer buffer = good.allocate(request);
                    if (isHidden(request, KIB64)) {
                        Thread waiting = Thread.ofPlatform()
                                .name("camera-" + left.size())
                                .start(() -> {
                                    while (!Thread.currentThread().isInterrupted()) {
                                        LockSupport.park();
                                    }
                                });
                        left.add(() -> {
                            waiting.interrupt();
                            waiting.join();
                        });
                    }
                    return buffer;
                }));
    }

    private static Stream<BrokenHeap> capacities() {
        return Stream.of(
                BrokenHeap.of(FULL, "and after their release 15", good -> new Small(good, Errno.ENOMEM, 64 << 10)),
                BrokenHeap.of(FULL, "refused with EINVAL, expected ENOMEM", good -> new Small(good, Errno.EINVAL, 0)),
                BrokenHeap.of(FULL, "are more than the capacity of 1048576 bytes", good -> new Forwarding(good) {
                    @Override
                    public HeapUsage usage() {
                        return HeapUsage.unknown().withCapacity(MIB);
                    }
                }),
                announcing(
                        "a_size_above_the_announced_largest_is_refused",
                        "succeeded, expected a refusal",
                        Map.of(HeapProperties.SIZE_MAX, 16 * MIB)),
                announcing(
                        "a_buffer_has_a_multiple_of_the_announced_granule",
                        "and the heap announces heap.size.granule=12288",
                        Map.of(HeapProperties.SIZE_GRANULE, 12288L)));
    }

    private static Stream<BrokenHeap> truths() {
        return Stream.of(
                announcing(
                        "a_descriptor_is_a_dma_buf_if_and_only_if_the_heap_announces_it",
                        "has a descriptor that is not a dma-buf",
                        Map.of(HeapProperties.DMABUF, true)),
                wrapping(
                                "memory_has_the_announced_physical_runs",
                                " bytes by its announcement, but one ends at byte ",
                                (buffer, request) -> request.size() != MIB
                                        ? buffer
                                        : new Showing(buffer, mapping -> scattered(mapping.byteSize())))
                        .announcing(HeapProperties.CONTIGUOUS_MAX, MIB),
                serving(
                                "memory_begins_at_a_physical_address_of_the_requested_alignment",
                                "which is not a multiple of its alignment",
                                (good, request) -> good.allocate(
                                        request.alignment() > 2 * MIB ? request : request.withAlignment(1)))
                        .announcing(HeapProperties.ALIGNMENT, 2 * MIB),
                announcing(
                        ADDRESSES,
                        "outside of the announced 0x0 to 0xfff",
                        Map.of(HeapProperties.ADDRESS_MIN, 0L, HeapProperties.ADDRESS_MAX, 4095L)),
                announcing(ADDRESSES, "outside of the announced", Map.of(HeapProperties.DMA_BITS, 12)));
    }

    /** Returns whether it is a request of this size for a buffer that is never exported. */
    private static boolean isHidden(HeapRequest request, long size) {
        return request.export() == ExportMode.NONE && request.size() == size;
    }

    static void write(HeapBuffer buffer, Consumer<MemorySegment> write) {
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        write.accept(mapping);
        buffer.unmap(mapping);
    }

    /** Makes the last byte 1, as if it were left of earlier contents. */
    private static HeapBuffer dirtied(HeapBuffer buffer) {
        write(buffer, mapping -> mapping.set(ValueLayout.JAVA_BYTE, mapping.byteSize() - 1, (byte) 1));
        return buffer;
    }

    private static HeapBuffer onFirstMapping(HeapBuffer buffer, byte last) {
        return new Mapped(buffer) {
            @Override
            public MemorySegment map(Access access) {
                if (!everMapped()) {
                    write(good, mapping -> mapping.set(ValueLayout.JAVA_BYTE, mapping.byteSize() - 1, last));
                }
                return super.map(access);
            }
        };
    }

    static MemorySegment copy(MemorySegment memory) {
        return Arena.ofAuto().allocate(memory.byteSize(), Bytes.PAGE).copyFrom(memory);
    }

    /** Makes memory whose pages come from the machine in turn with those of other memory. */
    private static MemorySegment scattered(long size) {
        MemorySegment one = Arena.ofAuto().allocate(size, Bytes.PAGE);
        MemorySegment other = Arena.ofAuto().allocate(size, Bytes.PAGE);
        for (long offset = 0; offset < size; offset += Bytes.PAGE) {
            one.set(ValueLayout.JAVA_BYTE, offset, (byte) 0);
            other.set(ValueLayout.JAVA_BYTE, offset, (byte) 0);
        }
        return one;
    }
}
