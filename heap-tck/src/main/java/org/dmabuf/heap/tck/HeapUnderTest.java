// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Heap under test, with its announced properties and the helper methods of the cases. */
final class HeapUnderTest {
    /** Longest time until the memory of earlier cases is free again. */
    private static final Duration ROOM = Duration.ofSeconds(10);

    /** Longest time of a case, with memory of several GiB on a slow machine. */
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private static final Duration LISTING = Duration.ofMinutes(1);

    /** Number of reads of the usage, which other users of the machine may change meanwhile. */
    private static final int LOOKS = 3;

    /** Beside clients, the cases take at most this share of the free memory: a quarter. */
    private static final int SHARE = 4;

    private static final long MOST_BESIDE_CLIENTS = 32L << 20;

    /**
     * Number of runs of a case beside clients that must all leave something behind. Clients open descriptors as well,
     * but a leak of the heap shows in each run.
     */
    private static final int RUNS_BESIDE_CLIENTS = 3;

    private final HeapExporter exporter;
    private final Map<String, ?> properties;
    private final Duration patience;
    private final Duration limit;
    private final Company company;
    private long step;
    private Optional<TimedCall> latest = Optional.empty();

    /** Other users of the heap and of the process during the cases. */
    enum Company {
        /** The cases have the process for themselves, so each new descriptor is theirs. */
        ALONE,
        /** Clients use the heap, and open descriptors at any time. */
        CLIENTS
    }

    /** Makes a heap under test with the time limits that suit a slow machine. */
    HeapUnderTest(HeapExporter exporter, Map<String, ?> properties, Company company) {
        this(exporter, properties, ProcessState.PATIENCE, LIMIT, company);
    }

    /**
     * @param patience how long the resources of a case may take to disappear after its end
     * @param limit longest time of a case
     */
    HeapUnderTest(
            HeapExporter exporter, Map<String, ?> properties, Duration patience, Duration limit, Company company) {
        this.exporter = exporter;
        this.patience = patience;
        this.limit = limit;
        this.company = company;
        this.properties = Map.copyOf(properties);
    }

    HeapExporter exporter() {
        return exporter;
    }

    /** Returns the heap's usage, unknown if the heap does not return one: only one case reports this fault. */
    HeapUsage usage() {
        try {
            HeapUsage usage = exporter.usage();
            return usage == null ? HeapUsage.unknown() : usage;
        } catch (RuntimeException | Error e) {
            return HeapUsage.unknown();
        }
    }

    Map<String, ?> properties() {
        return properties;
    }

    /** Returns the announced name. A heap without a name fails only the case that checks it. */
    String name() {
        return properties.get(HeapProperties.NAME) instanceof String name ? name : "";
    }

    boolean announces(String property, boolean byDefault) {
        return properties.get(property) instanceof Boolean value ? value : byDefault;
    }

    long announced(String property, long byDefault) {
        return properties.get(property) instanceof Long value ? value : byDefault;
    }

    /** Returns the largest alignment that a request may have. */
    long alignment() {
        return announced(HeapProperties.ALIGNMENT, 4096);
    }

    // Reasons why a case does not apply; empty for a case that applies.

    Optional<String> unlessMappable() {
        return announces(HeapProperties.MAPPABLE, true)
                ? Optional.empty()
                : Optional.of("heap.mappable=false: the CPU cannot read the memory");
    }

    Optional<String> ifMappable() {
        return announces(HeapProperties.MAPPABLE, true)
                ? Optional.of("heap.mappable=true: there is nothing to refuse")
                : Optional.empty();
    }

    Optional<String> unlessReadOnlyExports() {
        return announces(HeapProperties.EXPORT_READONLY, false)
                ? Optional.empty()
                : Optional.of("heap.export.readonly=false: there is no such descriptor");
    }

    Optional<String> ifReadOnlyExports() {
        return announces(HeapProperties.EXPORT_READONLY, false)
                ? Optional.of("heap.export.readonly=true: there is nothing to refuse")
                : Optional.empty();
    }

    Optional<String> ifClientsWouldSuffer() {
        return company == Company.CLIENTS
                ? Optional.of("clients use the heap: if it does not check sizes, the machine could run out of memory")
                : Optional.empty();
    }

    /**
     * Checks whether the heap makes buffers of this size and has enough capacity. Buffers may take more of it than
     * their size.
     *
     * @param count number of buffers that the case holds at once
     * @param size bytes of the largest
     */
    Optional<String> unlessHolds(int count, long size) {
        if (properties.get(HeapProperties.SIZE_MAX) instanceof Long largest && size > largest) {
            return Optional.of("heap.size.max=" + largest + ": a buffer of " + Bytes.text(size) + " is too large");
        }
        HeapUsage usage = usage();
        long needed = usage.capacity().isPresent() ? needed(count, size) : count * size;
        if (needed > usage.capacity().orElse(Long.MAX_VALUE)) {
            return Optional.of("needs " + Bytes.text(needed) + " at once; the heap holds "
                    + Bytes.text(usage.capacity().getAsLong()));
        }
        long share = Math.min(usage.free().orElse(Long.MAX_VALUE) / SHARE, MOST_BESIDE_CLIENTS);
        return company == Company.CLIENTS && needed > share
                ? Optional.of("clients use the heap: needs " + Bytes.text(needed) + " at once, more than "
                        + Bytes.text(share))
                : Optional.empty();
    }

    private long needed(int count, long size) {
        if (step == 0) {
            step = step();
        }
        return count * ((size + step - 1) / step * step);
    }

    /**
     * {@return bytes of capacity that the smallest buffer takes; larger buffers are assumed to take multiples of it.
     * The unit shows in the buffer's size if the heap allocates whole chunks, or in its usage if the heap accounts in
     * larger units}
     */
    private long step() {
        try {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < LOOKS; i++) {
                least = Math.min(least, takenBySmallest());
            }
            return Math.max(Bytes.PAGE, least);
        } catch (RuntimeException | Error e) {
            return Bytes.PAGE; // the cases report this fault of the heap
        }
    }

    private long takenBySmallest() {
        long before = usage().free().orElse(0);
        HeapBuffer smallest = exporter.allocate(HeapRequest.of(1));
        try {
            return Math.max(smallest.size(), before - usage().free().orElse(before));
        } finally {
            smallest.release();
        }
    }

    /**
     * Waits until the buffers fit at the same time, if the heap reports its usage. Memory released by earlier cases may
     * not be free yet. Buffers placed around it could leave no space for the last one, although all would fit later.
     * After a timeout the case runs, and fails if they do not fit.
     */
    void awaitRoom(int count, long size) {
        if (usage().capacity().isEmpty()) {
            return;
        }
        long needed = needed(count, size);
        long end = System.nanoTime() + ROOM.toNanos();
        while (usage().largestFree().orElse(needed) < needed && System.nanoTime() < end) {
            try {
                Thread.sleep(5); // a heap does not signal free memory
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    // Construction of cases

    ContractCase expect(String name, ContractCase.Body body) {
        return expect(name, body, Optional.empty());
    }

    /** @param skipReason one of the above, or several with {@link Optional#or} */
    ContractCase expect(String name, ContractCase.Body body, Optional<String> skipReason) {
        return new ContractCase(this, name, skipReason, () -> runAndCheckLeaks(body));
    }

    /** Returns a case during which the heap itself may open and close files, because its bundle restarts. */
    ContractCase expectOfRestarts(String name, ContractCase.Body body, Optional<String> skipReason) {
        return new ContractCase(this, name, skipReason, body);
    }

    private void runAndCheckLeaks(ContractCase.Body body) throws Exception {
        List<String> left = leaks(body);
        for (int run = 1; company == Company.CLIENTS && !left.isEmpty() && run < RUNS_BESIDE_CLIENTS; run++) {
            left = leaks(body);
        }
        ProcessState.report(left);
    }

    private List<String> leaks(ContractCase.Body body) throws Exception {
        trim();
        ProcessState before = ProcessState.now();
        body.run();
        trim();
        return before.awaitNothingLeft(patience, this::trim);
    }

    /** Waits until the growth since a snapshot is gone, as pools and other threads release memory later. */
    List<String> awaitNoGrowth(ProcessState before, long least) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        trim();
        List<String> grown = before.grownIn(ProcessState.now(), least);
        while (!grown.isEmpty() && System.nanoTime() < end) {
            Thread.sleep(5);
            trim();
            grown = before.grownIn(ProcessState.now(), least);
        }
        return grown;
    }

    /**
     * Makes a list of cases. Their skips depend on the heap's usage and on small buffers, so the heap may hang.
     *
     * @throws HeapException when the heap hangs, or the thread is interrupted
     */
    List<ContractCase> listed(Supplier<List<ContractCase>> cases) {
        List<ContractCase> list = new ArrayList<>();
        try {
            Duration shorter = limit.compareTo(LISTING) < 0 ? limit : LISTING;
            new TimedCall("the heap", shorter, () -> list.addAll(cases.get()))
                    .fault()
                    .ifPresent(fault -> {
                        throw HeapException.of(
                                Errno.EIO, name(), "listing the cases failed: " + ContractCase.sentence(fault), fault);
                    });
            return list;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw HeapException.of(Errno.EINTR, name(), "listing the cases failed: the thread was interrupted", e);
        }
    }

    /**
     * Runs the body of a case, within the time limit.
     *
     * @return why it failed; empty if it did not
     */
    Optional<Throwable> faultOf(String name, ContractCase.Body body) {
        if (latest.filter(TimedCall::hangs).isPresent()) {
            return Optional.of(new AssertionError("not run: an earlier case has not returned"));
        }
        latest = Optional.of(new TimedCall("the case", limit, body));
        try {
            return latest.get().fault();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.of(e);
        }
    }

    // Operations of the cases on the heap

    /**
     * Returns one request for each kind of buffer that the heap announces. A heap may make each kind in a different
     * way.
     */
    List<HeapRequest> kinds(long size) {
        List<HeapRequest> kinds = new ArrayList<>();
        kinds.add(HeapRequest.of(size));
        kinds.add(HeapRequest.of(size).withExport(ExportMode.NONE));
        if (unlessReadOnlyExports().isEmpty()) {
            kinds.add(HeapRequest.of(size).withExport(ExportMode.READ_ONLY));
        }
        return kinds;
    }

    /** Returns one request for each kind of buffer with a descriptor. */
    List<HeapRequest> exportableKinds(long size) {
        return kinds(size).stream()
                .filter(kind -> kind.export() != ExportMode.NONE)
                .toList();
    }

    HeldBuffer allocate(HeapRequest request) {
        HeapBuffer buffer = exporter.allocate(request);
        if (buffer == null) {
            throw new AssertionError(request + " returned null");
        }
        return new HeldBuffer(buffer, request);
    }

    HeapException refusal(HeapRequest request) {
        try {
            exporter.allocate(request).release();
        } catch (HeapException e) {
            return e;
        }
        throw new AssertionError(request + " succeeded, expected a refusal");
    }

    void assertRefused(HeapRequest request, Errno... expected) {
        HeapException refusal = refusal(request);
        if (!List.of(expected).contains(refusal.errno())) {
            throw new AssertionError(
                    request + " was refused with " + refusal.errno() + ", expected one of " + Arrays.toString(expected),
                    refusal);
        }
    }

    /** Empties the heap's pools, if the heap can: only one case reports that it cannot. */
    void trim() {
        try {
            exporter.trim(Long.MAX_VALUE);
        } catch (RuntimeException | Error e) {
            // reported by the case about trimming
        }
    }
}
