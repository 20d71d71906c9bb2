// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.ArrayList;
import java.util.List;
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
 * The heaps that gave no buffer to one request, and the sentence that tells of them. While the request goes on it only
 * notes which they were: a request that is served in the end pays for no words.
 */
final class AttemptLog {
    private sealed interface Refusal {}

    private record Unknown(String name) implements Refusal {}

    private record Unsuitable(RegisteredHeap heap) implements Refusal {}

    private record Absent(RegisteredHeap heap, String reason) implements Refusal {}

    private record Told(RegisteredHeap heap, HeapException by) implements Refusal {}

    private record Broken(RegisteredHeap heap, HeapException by) implements Refusal {}

    private final AllocationRequest request;
    private final RoutingTable routes;
    private final RequestMatcher matcher;
    /** Made with the first, and most requests have none: the first heap gives the buffer. */
    private List<Refusal> all = List.of();
    /** What the last heap that was asked threw. */
    private HeapException last;

    AttemptLog(AllocationRequest request, RoutingTable routes, RequestMatcher matcher) {
        this.request = request;
        this.routes = routes;
        this.matcher = matcher;
    }

    /** Nobody serves under this name. */
    void unknown(String name) {
        note(new Unknown(name));
    }

    /** It was not asked, because it does not meet the request. */
    void unsuitable(RegisteredHeap heap) {
        note(new Unsuitable(heap));
    }

    /** It could not be asked, because it does not serve any more. */
    void absent(RegisteredHeap heap, String reason) {
        note(new Absent(heap, reason));
    }

    /** It refused, or somebody on its behalf did. */
    void told(RegisteredHeap heap, HeapException by) {
        last = by;
        note(new Told(heap, by));
    }

    /** Its code failed. */
    void broken(RegisteredHeap heap, Throwable failure) {
        last = new HeapException(Errno.EIO, heap.name(), ThrownText.text(failure), failure);
        note(new Broken(heap, last));
    }

    int count() {
        return all.size();
    }

    private void note(Refusal refusal) {
        if (all.isEmpty()) {
            all = new ArrayList<>();
        }
        all.add(refusal);
    }

    /** {@return to be thrown when the last of them is one that no other heap can mend} */
    HeapException end() {
        return new HeapException(last.errno(), name(all.getLast()), sentence(), last, attempts());
    }

    /**
     * All have refused. Out of memory is what the caller can act on, so it wins over heaps that were skipped.
     *
     * @return to be thrown
     */
    HeapException all() {
        List<Attempt> attempts = attempts();
        for (Attempt attempt : attempts) {
            if (attempt.errno() == Errno.ENOMEM) {
                return new HeapException(Errno.ENOMEM, attempt.heap(), sentence(), last, attempts);
            }
        }
        String heap = attempts.size() == 1 ? attempts.getFirst().heap() : "";
        return new HeapException(Errno.ENODEV, heap, sentence(), last, attempts);
    }

    private List<Attempt> attempts() {
        return all.stream()
                .map(refusal -> new Attempt(name(refusal), errno(refusal), reason(refusal)))
                .toList();
    }

    private static String name(Refusal refusal) {
        return switch (refusal) {
            case Unknown(String name) -> Printable.of(name);
            case Unsuitable(RegisteredHeap heap) -> heap.name();
            case Absent(RegisteredHeap heap, _) -> heap.name();
            case Told(RegisteredHeap heap, _) -> heap.name();
            case Broken(RegisteredHeap heap, _) -> heap.name();
        };
    }

    private static Errno errno(Refusal refusal) {
        return switch (refusal) {
            case Unknown _, Unsuitable _, Absent _ -> Errno.ENODEV;
            case Told(_, HeapException by) -> by.errno();
            case Broken(_, HeapException by) -> by.errno();
        };
    }

    private String reason(Refusal refusal) {
        return switch (refusal) {
            case Unknown(String name) -> whyNot(name);
            case Unsuitable(RegisteredHeap heap) -> matcher.unmetBy(heap);
            case Absent(_, String reason) -> reason;
            case Told(RegisteredHeap heap, HeapException by) -> said(heap, by);
            case Broken(_, HeapException by) ->
                "its code failed with " + by.getMessage() + "; report that to its vendor";
        };
    }

    /** Why nobody serves under a name. */
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

    /** What a heap said, without the name that most begin with: whoever tells it has named the heap. */
    private static String said(RegisteredHeap heap, HeapException refusal) {
        String said = refusal.getMessage();
        if (said == null) {
            return refusal.errno().meaning();
        }
        String itself = heap.toString();
        return said.startsWith(itself) ? said.substring(itself.length()).replaceFirst("^:? ", "") : said;
    }

    private String sentence() {
        String size = "a buffer of " + Bytes.text(request.size());
        if (all.isEmpty()) {
            return request.mask().isPresent() && routes.size() > 0
                    ? "no heap for " + size + ": none has its id in mask 0x"
                            + Long.toHexString(request.mask().getAsLong()) + "; " + serving()
                    : "no heap for " + size + ": " + serving();
        }
        if (all.size() == 1) {
            Refusal only = all.getFirst();
            String itself = "heap '" + name(only) + "'";
            return only instanceof Told told
                            && told.by().getMessage() != null
                            && told.by().getMessage().startsWith(itself)
                    ? told.by().getMessage()
                    : itself + " gives no " + size.substring(2) + ": " + reason(only);
        }
        return all.stream()
                .map(refusal -> name(refusal) + ": " + reason(refusal))
                .collect(Collectors.joining("; ", "no heap gave " + size + ". ", ""));
    }
}
