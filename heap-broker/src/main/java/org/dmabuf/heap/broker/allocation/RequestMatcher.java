// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.framework.InvalidSyntaxException;

/**
 * Matcher of one request with the heaps of one moment. A mismatch is found without a text. The reason is put into words
 * only for a request that fails.
 */
final class RequestMatcher {
    private enum Lack {
        EMULATED,
        UNALIGNED,
        WRITABLE,
        UNMET
    }

    private final AllocationRequest request;
    private final RoutingTable routes;
    /** Which heaps meet the requirement; null when the request has none. */
    private final boolean[] meeting;

    /**
     * Creates the matcher of a request.
     *
     * @param request the request
     * @param routes the heaps
     */
    RequestMatcher(AllocationRequest request, RoutingTable routes) {
        this.request = request;
        this.routes = routes;
        meeting = request.requirement().isPresent()
                ? meeting(routes, request.requirement().get())
                : null;
    }

    private static boolean[] meeting(RoutingTable routes, String filter) {
        try {
            return routes.meeting(filter);
        } catch (InvalidSyntaxException e) {
            throw new AssertionError("a request holds no other text than a filter", e);
        }
    }

    /** {@return whether a heap that serves meets the request} */
    boolean metBy(RegisteredHeap heap) {
        return lack(heap) == null;
    }

    /** {@return why a heap does not meet the request, without its name} */
    String unmetBy(RegisteredHeap heap) {
        HeapDescription description = heap.description();
        return switch (lack(heap)) {
            case EMULATED ->
                "it only emulates " + String.join(" and ", description.emulates()) + "; accept that with"
                        + " withEmulations(\"" + String.join("\", \"", description.emulates()) + "\")";
            case UNALIGNED ->
                "it aligns to " + Bytes.text(description.alignment()) + " at most, not to "
                        + Bytes.text(request.alignment());
            case WRITABLE -> "it cannot export a descriptor through which no holder can write";
            case UNMET -> "it does not meet " + Printable.of(request.requirement().orElseThrow());
            case null -> throw new IllegalArgumentException(heap + " meets the request");
        };
    }

    private Lack lack(RegisteredHeap heap) {
        HeapDescription description = heap.description();
        if (!description.emulates().isEmpty() && !request.emulations().containsAll(description.emulates())) {
            return Lack.EMULATED;
        }
        if (request.alignment() > description.alignment()) {
            return Lack.UNALIGNED;
        }
        if (request.export() == ExportMode.READ_ONLY && !description.readOnlyExport()) {
            return Lack.WRITABLE;
        }
        return meeting == null || routes.met(meeting, heap) ? null : Lack.UNMET;
    }
}
