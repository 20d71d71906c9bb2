// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
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
 * Log of one request's attempts: the heaps that returned no buffer, and the reasons. It formats texts only if the
 * whole request fails.
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
    /**
     * The attempts in order. The list is created with the first attempt that fails, because the first heap serves most
     * requests.
     */
    private List<Entry> all = List.of();
    /**
     * The position in the order of asking, for a request that names no heap. The heaps before it without an attempt
     * were unsuitable. Many requests skip many heaps, and must not pay for a note of each.
     */
    private int reached;
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

    /** Notes a heap that was not asked, because it no longer serves. */
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

    /** Notes that a request that names no heap has come to a turn, and that unsuitable heaps before it were skipped. */
    void reached(int turn) {
        reached = turn;
    }

    int count() {
        return Math.max(all.size(), reached);
    }

    /** {@return the attempts with their reasons, and the heaps that have not started} */
    List<Attempt> attempts() {
        return summary().attempts();
    }

    private void note(Entry entry) {
        if (all.isEmpty()) {
            all = new ArrayList<>();
        }
        all.add(entry);
    }

    /** {@return the exception for a request that ended with its last attempt, because no other heap can help} */
    HeapException end() {
        Summary summary = summary();
        return HeapException.ofAttempts(
                last.errno(), Optional.of(name(all.getLast())), summary.sentence(), last, summary.attempts());
    }

    /**
     * Summarizes a request that all heaps refused. A shortage takes precedence over skipped heaps, because the caller
     * can act on it.
     *
     * @return the exception to throw
     */
    HeapException all() {
        Summary summary = summary();
        for (Entry entry : summary.entries) {
            if (errno(entry) == Errno.ENOMEM) {
                return HeapException.ofAttempts(
                        Errno.ENOMEM, Optional.of(name(entry)), summary.sentence(), last, summary.attempts());
            }
        }
        Optional<String> only =
                summary.entries.size() == 1 ? Optional.of(name(summary.entries.getFirst())) : Optional.empty();
        return HeapException.ofAttempts(Errno.ENODEV, only, summary.sentence(), last, summary.attempts());
    }

    /** {@return the exception for a request whose wait timed out} */
    HeapException waited(HeapException shortage, Duration timeout) {
        return HeapException.ofAttempts(
                shortage.errno(),
                shortage.heap(),
                shortage.reason() + "; waited " + timeout.toMillis() + " ms for memory of other holders",
                last,
                shortage.attempts());
    }

    /**
     * Combines the attempts with the heaps that have not started. Such a heap replaces the entry of an unknown name. A
     * request that names no heap would have asked all of them, so they come first.
     */
    private Summary summary() {
        Map<String, UnavailableHeaps.Unavailable> notStarted = new LinkedHashMap<>();
        for (UnavailableHeaps.Unavailable heap : absent.now().all()) {
            if (routes.named(heap.name()) == null) { // otherwise it waits for the name
                notStarted.putIfAbsent(heap.name(), heap);
            }
        }
        List<Entry> entries = new ArrayList<>();
        if (request.heaps().isEmpty()) {
            notStarted.values().forEach(heap -> entries.add(new NotStarted(heap)));
        }
        for (Entry entry : withSkipped()) {
            boolean replaced = entry instanceof Unknown(String name)
                    && notStarted.containsKey(name)
                    && listed(name).isEmpty();
            entries.add(replaced ? new NotStarted(notStarted.get(((Unknown) entry).name())) : entry);
        }
        return new Summary(entries, notStarted);
    }

    /** {@return the attempts, and an entry for each heap that was skipped, in the order of asking} */
    private List<Entry> withSkipped() {
        if (reached == 0) {
            return all;
        }
        List<Entry> entries = new ArrayList<>();
        Iterator<Entry> attempts = all.iterator();
        for (int turn = 0; turn < reached; turn++) {
            RegisteredHeap heap = routes.inOrder(turn);
            entries.add(matcher.metBy(heap) ? attempts.next() : new Unsuitable(heap));
        }
        attempts.forEachRemaining(entries::add);
        return entries;
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
            case Absent absent -> absent.heap().name();
            case Refused refused -> refused.heap().name();
            case Broken broken -> broken.heap().name();
            case NotStarted(UnavailableHeaps.Unavailable heap) -> heap.name();
        };
    }

    private static Errno errno(Entry entry) {
        return switch (entry) {
            case Unknown _, Unsuitable _, Absent _, NotStarted _ -> Errno.ENODEV;
            case Refused refused -> refused.by().errno();
            case Broken broken -> broken.by().errno();
        };
    }

    /** The texts for a request that failed. */
    private final class Summary {
        private final List<Entry> entries;
        private final Map<String, UnavailableHeaps.Unavailable> notStarted;

        Summary(List<Entry> entries, Map<String, UnavailableHeaps.Unavailable> notStarted) {
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
            if (all.isEmpty() && reached == 0) {
                return entries.stream()
                                .map(entry -> name(entry) + ": " + reason(entry) + "; ")
                                .collect(Collectors.joining("", "no heap for a " + size + ": ", ""))
                        + unmasked()
                        + serving();
            }
            if (entries.size() == 1) {
                Entry only = entries.getFirst();
                return only instanceof Refused refused ? refused.by().reason() : "no " + size + ": " + reason(only);
            }
            // The reasons of heaps that have not started come before those of heaps that serve.
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
                case Absent absent -> absent.reason();
                case Refused refused -> refused.by().reason();
                case Broken broken -> "its code failed with " + broken.by().reason() + "; report that to its vendor";
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
            return SimilarName.of(
                            name,
                            Stream.concat(
                                    routes.listed().stream()
                                            .map(listed -> listed.heap().name()),
                                    notStarted.keySet().stream()))
                    .map(similar -> "the nearest name is " + similar + "; ")
                    .orElse("");
        }

        private String others() {
            return notStarted.isEmpty() ? "" : "; not started: " + String.join(", ", notStarted.keySet());
        }

        private String unmasked() {
            return request.mask().isPresent() && routes.size() > 0
                    ? "no heap has its id in mask 0x"
                            + Long.toHexString(request.mask().getAsLong()) + "; "
                    : "";
        }

        private String serving() {
            if (routes.size() > 0) {
                return IntStream.range(0, routes.size())
                        .mapToObj(turn -> routes.inOrder(turn).name())
                        .collect(Collectors.joining(", ", "serving heaps: ", ""));
            }
            if (!routes.listed().isEmpty()) {
                return routes.listed().stream()
                        .map(listed -> listed.heap().name() + ": " + listed.reason())
                        .collect(Collectors.joining("; ", "no heap serves. ", ""));
            }
            return notStarted.isEmpty() ? "no heap serves; install one, for instance heap-system" : "no heap serves";
        }
    }
}
