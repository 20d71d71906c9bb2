// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.text.Bytes;

/** What a heap refuses, how, and that a refusal costs nothing. A broker checks most of this before; a heap must too. */
final class RefusalCases {
    private static final long SIZE = 64 << 10;
    private static final long UNKNOWN_FLAGS = 0x111111;
    /** 64 TiB: no machine has it, and no arithmetic overflows on it. */
    private static final long ABSURD = 1L << 46;

    private static final int ROUNDS = 100;

    private RefusalCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect("a_size_of_zero_or_less_is_refused", () -> refusesNothing(heap)),
                heap.expect("a_size_without_whole_pages_around_it_is_refused", () -> {
                    assertChecksSizes(heap);
                    for (long size : new long[] {Long.MAX_VALUE, Long.MAX_VALUE - 4095}) {
                        heap.assertRefused(ContractRequest.of(size), Errno.EINVAL, Errno.ENOMEM);
                    }
                }),
                heap.expect("an_absurd_size_is_refused_before_it_is_tried", () -> {
                    assertChecksSizes(heap);
                    for (ContractRequest request : heap.kinds(ABSURD)) {
                        heap.assertRefused(request, Errno.ENOMEM);
                    }
                }),
                heap.expect(
                        "unknown_heap_flags_are_refused",
                        () -> heap.assertRefused(ContractRequest.of(SIZE).heapFlags(UNKNOWN_FLAGS), Errno.EINVAL)),
                heap.expect("an_alignment_above_the_announced_one_is_refused", () -> {
                    ContractRequest request = ContractRequest.of(SIZE).withAlignment(2 * heap.alignment());
                    heap.assertRefused(request, Errno.EINVAL);
                }),
                heap.expect("an_alignment_that_is_no_power_of_two_is_refused", () -> {
                    for (long alignment : new long[] {0, -1, -8, 3, 4097, Long.MIN_VALUE, Long.MAX_VALUE}) {
                        heap.kinds(SIZE)
                                .forEach(request -> heap.assertRefused(request.withAlignment(alignment), Errno.EINVAL));
                    }
                }),
                heap.expect("a_name_that_is_too_long_or_has_control_characters_is_refused", () -> {
                    for (String name : List.of("x".repeat(32), "\u00e9".repeat(16), "frame\n7", "\u0000", "\u007f")) {
                        heap.kinds(SIZE).forEach(request -> heap.assertRefused(request.name(name), Errno.EINVAL));
                    }
                }),
                heap.expect("every_alignment_up_to_the_announced_one_is_granted", () -> {
                    for (long alignment = 1; alignment <= heap.alignment(); alignment *= 2) {
                        heap.allocate(ContractRequest.of(SIZE).withAlignment(alignment)).close();
                    }
                }),
                heap.expect(
                        "an_export_for_writing_only_is_refused",
                        () -> heap.assertRefused(ContractRequest.of(SIZE).exports(Access.WRITE), Errno.EINVAL)),
                heap.expect("a_refusal_names_the_heap_and_the_size", () -> {
                    for (ContractRequest request : refused(heap)) {
                        Sentence.assertNames(heap.name(), request.size(), heap.refusal(request));
                    }
                }),
                heap.expect("refusals_leave_nothing_behind", () -> {
                    for (int i = 0; i < ROUNDS; i++) {
                        refused(heap).forEach(heap::refusal);
                    }
                }),
                heap.expect("after_refusals_the_heap_serves_as_before", () -> {
                    refused(heap).forEach(heap::refusal);
                    heap.kinds(SIZE).forEach(request -> heap.allocate(request).close());
                }));
    }

    private static void refusesNothing(HeapUnderTest heap) {
        for (long size : new long[] {0, -1, -4096, Long.MIN_VALUE}) {
            heap.assertRefused(ContractRequest.of(size), Errno.EINVAL);
        }
    }

    /** A heap that lets a size of 0 through looks at no size. To ask it for a large one could cost the machine. */
    private static void assertChecksSizes(HeapUnderTest heap) {
        try {
            refusesNothing(heap);
        } catch (AssertionError e) {
            throw new AssertionError("not tried on a heap that grants sizes of 0 or less", e);
        }
    }

    /** Harmless for a heap that grants them by mistake. */
    private static List<ContractRequest> refused(HeapUnderTest heap) {
        return List.of(
                ContractRequest.of(0),
                ContractRequest.of(-1),
                ContractRequest.of(Bytes.PAGE + 1).heapFlags(UNKNOWN_FLAGS),
                ContractRequest.of(SIZE).withAlignment(2 * heap.alignment()),
                ContractRequest.of(SIZE).exports(Access.WRITE));
    }
}
