// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Cases about refusals: the requests that a heap must refuse, the exceptions, and that a refusal holds nothing. A heap
 * must check requests although the broker has checked most of them. Requests that {@link HeapRequest} itself refuses,
 * such as size 0, do not occur here.
 */
final class RefusalCases {
    private static final long SIZE = 64 << 10;
    /** 64 TiB: more than any machine has, but small enough not to overflow. */
    private static final long ABSURD = 1L << 46;

    private static final int ROUNDS = 100;

    private RefusalCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect("a_request_that_is_null_is_refused", () -> heap.assertRefused(null, Errno.EINVAL)),
                heap.expect(
                        "an_absurd_size_is_refused_before_it_is_tried",
                        () -> {
                            assertLooksAtRequests(heap);
                            for (HeapRequest request : heap.kinds(ABSURD)) {
                                heap.assertRefused(request, Errno.ENOMEM);
                            }
                        },
                        heap.ifClientsWouldSuffer()),
                heap.expect("an_alignment_above_the_announced_one_is_refused", () -> refusesAlignment(heap)),
                heap.expect("every_alignment_up_to_the_announced_one_is_granted", () -> {
                    for (long alignment = 1; alignment <= heap.alignment(); alignment *= 2) {
                        heap.allocate(HeapRequest.of(SIZE).withAlignment(alignment))
                                .close();
                    }
                }),
                heap.expect("a_refusal_names_the_heap_and_the_size", () -> {
                    for (HeapRequest request : refused(heap)) {
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

    private static void refusesAlignment(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            heap.assertRefused(request.withAlignment(2 * heap.alignment()), Errno.EINVAL);
        }
    }

    /** Protects the machine: a heap that does not check alignments may not check sizes either. */
    private static void assertLooksAtRequests(HeapUnderTest heap) {
        try {
            refusesAlignment(heap);
        } catch (AssertionError e) {
            throw new AssertionError("not run: the heap accepts alignments above the announced one", e);
        }
    }

    /** Requests that do no harm if the heap accepts them by mistake. */
    private static List<HeapRequest> refused(HeapUnderTest heap) {
        List<HeapRequest> refused = new ArrayList<>();
        for (long size : new long[] {1, Bytes.PAGE + 1, SIZE}) {
            heap.kinds(size).forEach(request -> refused.add(request.withAlignment(2 * heap.alignment())));
        }
        if (heap.unlessReadOnlyExports().isPresent()) {
            refused.add(HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY));
        }
        return refused;
    }
}
