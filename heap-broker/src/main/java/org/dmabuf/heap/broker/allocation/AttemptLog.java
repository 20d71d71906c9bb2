// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.heap.HeapStanding;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.broker.heap.ThrownText;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/**
 * The log of one request's attempts: the heaps that gave no buffer, and the reasons. While the request goes on it only
 * notes the heaps. Texts are made for a request that fails, so a request that is served pays for none.
 */
final class AttemptLog {
    private sealed interface Entry {}

    private record Unknown(String name) implements Entry {}

    private record Unsuitable(RegisteredHeap heap) implements Entry {}

    private record Absent(RegisteredHeap heap, String reason) implements Entry {}

    private record Refused(RegisteredHeap heap, HeapException by) implements Entry {}

    private record Broken(RegisteredHeap heap, HeapException by) implements Entry {}

    private final AllocationRequest request;
    private final RoutingTable routes;
    private final RequestMatcher matcher;
    /** The attempts in order. The list is made with the first: for most requests the first heap gives the buffer. */
    private List<Entry> all = List.of();
    /** The exception of the last heap that was asked. */
    private HeapException last;

    AttemptLog(AllocationRequest request, RoutingTable routes, RequestMatcher matcher) {
        this.request = request;
        this.routes = routes;
        this.matcher = matcher;
    }

    /** Notes that no heap serves under a name. */
    void unknown(String name) {
        note(new Unknown(name));
    }

    /** Notes a heap that was not asked, because it does not meet the request. */
    void unsuitable(RegisteredHeap heap) {
        note(new Unsuitable(heap));
    }

    /** Notes a heap that could not be asked, because it does not serve any more. */
    void absent(RegisteredHeap heap, String reason) {
        note(new Absent(heap, reason));
    }

    /** Notes that a heap, or the broker on its behalf, refused. */
    void refused(RegisteredHeap heap, HeapException by) {
        last = by;
        note(new Refused(heap, by));
    }

    /** Notes that the code of a heap failed. */
    void broken(RegisteredHeap heap, Throwable failure) {
        last = HeapException.of(Errno.EIO, heap.name(), ThrownText.text(failure), failure);
        note(new Broken(heap, last));
    }

    int count() {
        return all.size();
    }

    private void note(Entry entry) {
        if (all.isEmpty()) {
            all = new ArrayList<>();
        }
        all.add(entry);
    }

    /** {@return the exception for a request that ends at its last attempt, because no other heap can help} */
    HeapException end() {
        return HeapException.ofAttempts(last.errno(), Optional.of(name(all.getLast())), sentence(), last, attempts());
    }

    /**
     * Sums up a request that all heaps refused. Want of memory is the failure that the caller can act on, so it takes
     * precedence over skipped heaps.
     *
     * @return the exception to throw
     */
    HeapException all() {
        List<Attempt> attempts = attempts();
        for (Attempt attempt : attempts) {
            if (attempt.errno() == Errno.ENOMEM) {
                return HeapException.ofAttempts(
                        Errno.ENOMEM, Optional.of(attempt.heap()), sentence(), last, attempts);
            }
        }
        return attempts.size() == 1
                ? HeapException.ofAttempts(
                        Errno.ENODEV, Optional.of(attempts.getFirst().heap()), sentence(), last, attempts)
                : HeapException.ofAttempts(Errno.ENODEV, Optional.empty(), sentence(), last, attempts);
    }

    /** {@return the exception for a request that waited in vain} */
    HeapException waited(HeapException shortage, Duration timeout) {
        return HeapException.ofAttempts(
                shortage.errno(),
                shortage.heap(),
                shortage.reason() + "; waited " + timeout.toMillis() + " ms for memory of other holders",
                last,
                attempts());
    }

    private List<Attempt> attempts() {
        return all.stream()
                .map(entry -> new Attempt(name(entry), errno(entry), reason(entry)))
                .toList();
    }

    private static String name(Entry entry) {
        return switch (entry) {
            case Unknown(String name) -> Printable.of(name);
            case Unsuitable(RegisteredHeap heap) -> heap.name();
            case Absent(RegisteredHeap heap, _) -> heap.name();
            case Refused(RegisteredHeap heap, _) -> heap.name();
            case Broken(RegisteredHeap heap, _) -> heap.name();
        };
    }

    private static Errno errno(Entry entry) {
        return switch (entry) {
            case Unknown _, Unsuitable _, Absent _ -> Errno.ENODEV;
            case Refused(_, HeapException by) -> by.errno();
            case Broken(_, HeapException by) -> by.errno();
        };
    }

    private String reason(Entry entry) {
        return switch (entry) {
            case Unknown(String name) -> whyNot(name);
            case Unsuitable(RegisteredHeap heap) -> matcher.unmetBy(heap);
            case Absent(_, String reason) -> reason;
            case Refused(_, HeapException by) -> by.reason();
            case Broken(_, HeapException by) ->
                "its code failed with " + by.reason() + "; report that to its vendor";
        };
    }

    /** Returns why no heap serves under a name. */
    private String whyNot(String name) {
        for (HeapStanding listed : routes.listed()) {
            if (listed.heap().name().equals(name)) {
                return listed.reason();
            }
        }
        return "there is no such heap; " + serving();
    }

    private String serving() {
        if (routes.size() > 0) {
            return IntStream.range(0, routes.size())
                    .mapToObj(turn -> routes.inOrder(turn).name())
                    .collect(Collectors.joining(", ", "there are: ", ""));
        }
        return routes.listed().isEmpty()
                ? "none serves; install one, for instance heap-system"
                : routes.listed().stream()
                        .map(listed -> listed.heap().name() + ": " + listed.reason())
                        .collect(Collectors.joining("; ", "none serves. ", ""));
    }

    private String sentence() {
        String size = "buffer of " + Bytes.text(request.size());
        if (all.isEmpty()) {
            return request.mask().isPresent() && routes.size() > 0
                    ? "no heap for a " + size + ": none has its id in mask 0x"
                            + Long.toHexString(request.mask().getAsLong()) + "; " + serving()
                    : "no heap for a " + size + ": " + serving();
        }
        if (all.size() == 1) {
            Entry only = all.getFirst();
            return only instanceof Refused refused ? refused.by().reason() : "no " + size + ": " + reason(only);
        }
        return all.stream()
                .map(entry -> name(entry) + ": " + reason(entry))
                .collect(Collectors.joining("; ", "no heap gave a " + size + ". ", ""));
    }
}
