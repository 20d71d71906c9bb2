// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.osgi.framework.Filter;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;

/** Search for the heap that serves one request. It collects the reasons of the heaps that refuse. */
final class Walk {
    private final AllocationRequest request;
    private final List<InMemoryHeap> heaps;
    /** Whether protected heaps are asked, too. */
    private final boolean protectedToo;

    private final Optional<Filter> requirement;
    private final List<Attempt> attempts = new ArrayList<>();

    /**
     * Begins a search.
     *
     * @param request the request
     * @param heaps the serving heaps, in the order in which they are asked
     */
    Walk(AllocationRequest request, List<InMemoryHeap> heaps) {
        this(request, heaps, true);
    }

    private Walk(AllocationRequest request, List<InMemoryHeap> heaps, boolean protectedToo) {
        this.request = request;
        this.heaps = heaps;
        this.protectedToo = protectedToo;
        requirement = request.requirement().map(Walk::filter);
    }

    /**
     * Begins the search for the heaps of a plan. It skips protected heaps, unless the request chooses its heaps or
     * demands protected memory.
     *
     * @param request the request
     * @param heaps the serving heaps, in the order in which they are asked
     * @param demands the demands of the request and of its devices
     */
    static Walk planned(AllocationRequest request, List<InMemoryHeap> heaps, List<Demand> demands) {
        boolean chosen = !request.heaps().isEmpty()
                || request.mask().isPresent()
                || request.requirement().isPresent();
        return new Walk(request, heaps, chosen || demands.stream().anyMatch(Walk::isForProtected));
    }

    private static boolean isForProtected(Demand demand) {
        return demand.kind().equals(ConstraintKind.PROTECTED) && !demand.value().isAny();
    }

    private static Filter filter(String text) {
        try {
            return FrameworkUtil.createFilter(text);
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException("a request was created with an invalid filter", e);
        }
    }

    /**
     * Finds the heap that serves the request.
     *
     * @param shortage returns why a heap that meets the request has too little memory, or empty if it has enough
     * @return the heap
     * @throws HeapException with every heap that was considered
     */
    InMemoryHeap serving(Function<InMemoryHeap, Optional<String>> shortage) {
        if (request.heaps().isEmpty()) {
            for (InMemoryHeap heap : heaps) {
                if (isInMask(heap) && serves(heap, shortage)) {
                    return heap;
                }
            }
        }
        for (String name : request.heaps()) {
            Optional<InMemoryHeap> heap =
                    heaps.stream().filter(h -> h.name().equals(name)).findFirst();
            if (heap.isEmpty()) {
                attempts.add(new Attempt(name, Errno.ENODEV, "there is no such heap; serving heaps: " + names()));
            } else if (serves(heap.get(), shortage)) {
                return heap.get();
            }
        }
        throw failure();
    }

    /**
     * Finds all heaps that meet the request, however full they are.
     *
     * @return the heaps in the order in which they are asked, at least one
     * @throws HeapException with every heap that was considered, if none of them meets it
     */
    List<InMemoryHeap> suitable() {
        List<InMemoryHeap> suitable = new ArrayList<>();
        try {
            serving(heap -> {
                suitable.add(heap);
                return Optional.of("");
            });
        } catch (HeapException e) {
            if (suitable.isEmpty()) {
                throw e;
            }
        }
        return suitable;
    }

    private boolean isInMask(InMemoryHeap heap) {
        return request.mask().isEmpty()
                || heap.id().isPresent()
                        && (request.mask().getAsLong() >>> heap.id().getAsInt() & 1) != 0;
    }

    private boolean serves(InMemoryHeap heap, Function<InMemoryHeap, Optional<String>> shortage) {
        Optional<String> unmet = unmet(heap);
        Optional<String> reason = unmet.isPresent() ? unmet : shortage.apply(heap);
        reason.ifPresent(
                why -> attempts.add(new Attempt(heap.name(), unmet.isPresent() ? Errno.ENODEV : Errno.ENOMEM, why)));
        return reason.isEmpty();
    }

    private Optional<String> unmet(InMemoryHeap heap) {
        if (!request.emulations().containsAll(heap.emulates())) {
            return Optional.of("it only emulates " + String.join(" and ", heap.emulates())
                    + "; accept that with withEmulations(\"" + String.join("\", \"", heap.emulates()) + "\")");
        }
        if (request.alignment() > heap.alignment()) {
            return Optional.of("it aligns to " + heap.alignment() + " bytes at most, not to " + request.alignment()
                    + having(other -> request.alignment() <= other.alignment()));
        }
        if (request.export() == ExportMode.READ_ONLY && !heap.is(HeapProperties.EXPORT_READONLY)) {
            return Optional.of("it cannot export a descriptor through which no holder can write"
                    + having(other -> other.is(HeapProperties.EXPORT_READONLY)));
        }
        if (!protectedToo && heap.is(HeapProperties.PROTECTED)) {
            return Optional.of("it is protected, and serves only requests that demand protected memory");
        }
        return requirement
                .filter(filter -> !filter.matches(heap.required()))
                .map(filter -> "it does not meet " + filter + having(other -> filter.matches(other.required())));
    }

    /** Names other heaps that have a missing property, except those that the request names. */
    private String having(Predicate<InMemoryHeap> what) {
        if (request.heaps().isEmpty() && request.mask().isEmpty()) {
            return "";
        }
        if (heaps.stream().noneMatch(what)) {
            return "; no serving heap does";
        }
        String others = heaps.stream()
                .filter(what)
                .filter(heap -> !request.heaps().contains(heap.name())
                        && (request.mask().isEmpty() || !isInMask(heap)))
                .map(InMemoryHeap::name)
                .collect(Collectors.joining(", "));
        return others.isEmpty() ? "" : "; serving heaps that do: " + others;
    }

    /** A shortage of memory takes precedence over skipped heaps, because the client can act on it. */
    private HeapException failure() {
        Optional<Attempt> decided = attempts.stream()
                .filter(attempt -> attempt.errno() == Errno.ENOMEM)
                .findFirst();
        Errno errno = decided.isPresent() ? Errno.ENOMEM : Errno.ENODEV;
        if (decided.isEmpty() && attempts.size() == 1) {
            decided = Optional.of(attempts.getFirst());
        }
        return HeapException.ofAttempts(errno, decided.map(Attempt::heap), sentence(), null, attempts);
    }

    private String sentence() {
        String size = "a buffer of " + request.size() + " bytes";
        if (attempts.isEmpty()) {
            return "no heap for " + size + ": "
                    + (request.mask().isPresent()
                            ? "no heap has its id in mask 0x"
                                    + Long.toHexString(request.mask().getAsLong()) + "; "
                            : "")
                    + "serving heaps: " + names();
        }
        if (attempts.size() == 1) {
            return "buffer of " + request.size() + " bytes refused: "
                    + attempts.getFirst().reason();
        }
        return attempts.stream()
                .map(attempt -> attempt.heap() + ": " + attempt.reason())
                .collect(Collectors.joining("; ", "no heap gave " + size + ". ", ""));
    }

    private String names() {
        return heaps.isEmpty() ? "none" : heaps.stream().map(InMemoryHeap::name).collect(Collectors.joining(", "));
    }
}
