// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.framework.InvalidSyntaxException;

/**
 * Matcher of one request with the heaps of one moment. Matching formats no texts; the reason is formatted only for a
 * request that fails.
 */
final class RequestMatcher {
    private enum Lack {
        EMULATED,
        UNALIGNED,
        WRITABLE,
        UNMET
    }

    /** The checks in their order. */
    private static final Lack[] LACKS = Lack.values();

    private final AllocationRequest request;
    private final RoutingTable routes;
    /** The heaps that meet the requirement; null when the request has none. */
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
            throw new AssertionError("a request was created with an invalid filter", e);
        }
    }

    /** {@return whether a heap that serves meets the request} */
    boolean metBy(RegisteredHeap heap) {
        return lack(heap) == null;
    }

    /** {@return the first turn from the given one whose heap meets the request; the number of heaps without one} */
    int nextMet(int from) {
        int turn = from;
        while (turn < routes.size() && !(isMetAt(turn) && metBy(routes.inOrder(turn)))) {
            turn++;
        }
        return turn;
    }

    /** Answers without a search for the heap, because a request may skip many heaps. */
    private boolean isMetAt(int turn) {
        return meeting == null || meeting[turn];
    }

    /** {@return why a heap does not meet the request, and which heaps do; the text does not name the heap itself} */
    String unmetBy(RegisteredHeap heap) {
        HeapDescription description = heap.description();
        Lack lack = lack(heap);
        return switch (lack) {
            case EMULATED ->
                "it only emulates " + String.join(" and ", description.emulates()) + "; accept that with"
                        + " withEmulations(\"" + String.join("\", \"", description.emulates()) + "\")";
            case UNALIGNED ->
                "it aligns to " + Bytes.text(description.alignment()) + " at most, not to "
                        + Bytes.text(request.alignment()) + having(lack);
            case WRITABLE -> "it cannot export a descriptor through which no holder can write" + having(lack);
            case UNMET ->
                "it does not meet " + Printable.of(request.requirement().orElseThrow()) + having(lack);
            case null -> throw new IllegalArgumentException(heap + " meets the request");
        };
    }

    /**
     * Lists the other heaps that have the missing capability. Heaps that the request asks are left out, because the
     * refusal already gives the reason of each.
     */
    private String having(Lack lack) {
        if (request.heaps().isEmpty() && request.mask().isEmpty()) {
            return "";
        }
        List<RegisteredHeap> having = IntStream.range(0, routes.size())
                .mapToObj(routes::inOrder)
                .filter(heap -> !lacks(heap, lack))
                .toList();
        if (having.isEmpty()) {
            return "; no serving heap does";
        }
        String others = having.stream()
                .filter(heap -> !isAsked(heap))
                .map(RegisteredHeap::name)
                .collect(Collectors.joining(", "));
        return others.isEmpty() ? "" : "; serving heaps that do: " + others;
    }

    private boolean isAsked(RegisteredHeap heap) {
        OptionalInt id = heap.description().id();
        return request.heaps().contains(heap.name())
                || request.mask().isPresent()
                        && id.isPresent()
                        && (request.mask().getAsLong() >>> id.getAsInt() & 1) != 0;
    }

    private Lack lack(RegisteredHeap heap) {
        for (Lack lack : LACKS) {
            if (lacks(heap, lack)) {
                return lack;
            }
        }
        return null;
    }

    private boolean lacks(RegisteredHeap heap, Lack lack) {
        HeapDescription description = heap.description();
        return switch (lack) {
            case EMULATED ->
                !description.emulates().isEmpty() && !request.emulations().containsAll(description.emulates());
            case UNALIGNED -> request.alignment() > description.alignment();
            case WRITABLE -> request.export() == ExportMode.READ_ONLY && !description.readOnlyExport();
            case UNMET -> meeting != null && !routes.met(meeting, heap);
        };
    }
}
