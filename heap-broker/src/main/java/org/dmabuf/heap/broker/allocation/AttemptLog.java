// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapStanding;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.broker.heap.ThrownText;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.linux.text.SimilarName;

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

    private record NotStarted(UnavailableHeaps.Unavailable heap) implements Entry {}

    private final AllocationRequest request;
    private final RoutingTable routes;
    private final RequestMatcher matcher;
    private final AbsentHeaps absent;
    /** The attempts in order. The list is made with the first: for most requests the first heap gives the buffer. */
    private List<Entry> all = List.of();
    /** The exception of the last heap that was asked. */
    private HeapException last;

    AttemptLog(AllocationRequest request, RoutingTable routes, RequestMatcher matcher, AbsentHeaps absent) {
        this.absent = absent;
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
        Told told = told();
        return HeapException.ofAttempts(
                last.errno(), Optional.of(name(all.getLast())), told.sentence(), last, told.attempts());
    }

    /**
     * Sums up a request that all heaps refused. Want of memory is the failure that the caller can act on, so it takes
     * precedence over skipped heaps.
     *
     * @return the exception to throw
     */
    HeapException all() {
        Told told = told();
        for (Entry entry : told.entries) {
            if (errno(entry) == Errno.ENOMEM) {
                return HeapException.ofAttempts(
                        Errno.ENOMEM, Optional.of(name(entry)), told.sentence(), last, told.attempts());
            }
        }
        Optional<String> only =
                told.entries.size() == 1 ? Optional.of(name(told.entries.getFirst())) : Optional.empty();
        return HeapException.ofAttempts(Errno.ENODEV, only, told.sentence(), last, told.attempts());
    }

    /** {@return the exception for a request that waited in vain} */
    HeapException waited(HeapException shortage, Duration timeout) {
        return HeapException.ofAttempts(
                shortage.errno(),
                shortage.heap(),
                shortage.reason() + "; waited " + timeout.toMillis() + " ms for memory of other holders",
                last,
                shortage.attempts());
    }

    /**
     * Puts the attempts together with the heaps that have not started. One of these is told in place of a name that no
     * heap serves. A request that names no heap would have asked all of them, so they come first.
     */
    private Told told() {
        Map<String, UnavailableHeaps.Unavailable> notStarted = new LinkedHashMap<>();
        for (UnavailableHeaps.Unavailable heap : absent.now().all()) {
            if (routes.named(heap.name()) == null) { // else it waits for the name
                notStarted.putIfAbsent(heap.name(), heap);
            }
        }
        List<Entry> entries = new ArrayList<>();
        if (request.heaps().isEmpty()) {
            notStarted.values().forEach(heap -> entries.add(new NotStarted(heap)));
        }
        for (Entry entry : all) {
            boolean replaced = entry instanceof Unknown(String name)
                    && notStarted.containsKey(name)
                    && listed(name).isEmpty();
            entries.add(replaced ? new NotStarted(notStarted.get(((Unknown) entry).name())) : entry);
        }
        return new Told(entries, notStarted);
    }

    private Optional<HeapStanding> listed(String name) {
        return routes.listed().stream()
                .filter(listed -> listed.heap().name().equals(name))
                .findFirst();
    }

    private static String name(Entry entry) {
        return switch (entry) {
            case Unknown(String name) -> Printable.of(name);
            case Unsuitable(RegisteredHeap heap) -> heap.name();
            case Absent(RegisteredHeap heap, _) -> heap.name();
            case Refused(RegisteredHeap heap, _) -> heap.name();
            case Broken(RegisteredHeap heap, _) -> heap.name();
            case NotStarted(UnavailableHeaps.Unavailable heap) -> heap.name();
        };
    }

    private static Errno errno(Entry entry) {
        return switch (entry) {
            case Unknown _, Unsuitable _, Absent _, NotStarted _ -> Errno.ENODEV;
            case Refused(_, HeapException by) -> by.errno();
            case Broken(_, HeapException by) -> by.errno();
        };
    }

    /** The words for a request that failed. */
    private final class Told {
        private final List<Entry> entries;
        private final Map<String, UnavailableHeaps.Unavailable> notStarted;

        Told(List<Entry> entries, Map<String, UnavailableHeaps.Unavailable> notStarted) {
            this.entries = entries;
            this.notStarted = notStarted;
        }

        List<Attempt> attempts() {
            return entries.stream()
                    .map(entry -> new Attempt(name(entry), errno(entry), reason(entry)))
                    .toList();
        }

        String sentence() {
            String size = "buffer of " + Bytes.text(request.size());
            if (all.isEmpty()) {
                return entries.stream()
                                .map(entry -> name(entry) + ": " + reason(entry) + "; ")
                                .collect(Collectors.joining("", "no heap for a " + size + ": ", ""))
                        + unmasked() + serving();
            }
            if (entries.size() == 1) {
                Entry only = entries.getFirst();
                return only instanceof Refused refused ? refused.by().reason() : "no " + size + ": " + reason(only);
            }
            // What keeps a heap from serving at all comes before what another would serve.
            Comparator<Entry> order = Comparator.comparing(entry -> !(entry instanceof NotStarted));
            return entries.stream()
                    .sorted(order)
                    .map(entry -> name(entry) + ": " + reason(entry))
                    .collect(Collectors.joining("; ", "no heap gave a " + size + ". ", ""));
        }

        private String reason(Entry entry) {
            return switch (entry) {
                case Unknown(String name) -> whyNot(name);
                case Unsuitable(RegisteredHeap heap) -> matcher.unmetBy(heap);
                case Absent(_, String reason) -> reason;
                case Refused(_, HeapException by) -> by.reason();
                case Broken(_, HeapException by) ->
                    "its code failed with " + by.reason() + "; report that to its vendor";
                case NotStarted(UnavailableHeaps.Unavailable heap) ->
                    (heap.retried() ? "it waits: " : "it failed to start: ") + heap.reason();
            };
        }

        /** Returns why no heap serves under a name. */
        private String whyNot(String name) {
            return listed(name)
                    .map(HeapStanding::reason)
                    .orElseGet(() -> "there is no such heap; " + nearest(name) + serving() + others());
        }

        private String nearest(String name) {
            return SimilarName.of(name, Stream.concat(
                            routes.listed().stream().map(listed -> listed.heap().name()),
                            notStarted.keySet().stream()))
                    .map(similar -> "the nearest name is " + similar + "; ")
                    .orElse("");
        }

        private String others() {
            return notStarted.isEmpty() ? "" : "; not started: " + String.join(", ", notStarted.keySet());
        }

        private String unmasked() {
            return request.mask().isPresent() && routes.size() > 0
                    ? "none has its id in mask 0x" + Long.toHexString(request.mask().getAsLong()) + "; "
                    : "";
        }

        private String serving() {
            if (routes.size() > 0) {
                return IntStream.range(0, routes.size())
                        .mapToObj(turn -> routes.inOrder(turn).name())
                        .collect(Collectors.joining(", ", "there are: ", ""));
            }
            if (!routes.listed().isEmpty()) {
                return routes.listed().stream()
                        .map(listed -> listed.heap().name() + ": " + listed.reason())
                        .collect(Collectors.joining("; ", "none serves. ", ""));
            }
            return notStarted.isEmpty() ? "none serves; install one, for instance heap-system" : "none serves";
        }
    }
}
