// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;

/**
 * Request of a client: how much, from where, and what the memory must be able to do. Immutable: each {@code with}
 * method returns another request, and one request can be used any number of times, by any thread.
 *
 * <p>Values are checked where they are given. A null is a {@link NullPointerException}, a wrong value an
 * {@link IllegalArgumentException}, both with a sentence that names the value and what is expected.
 *
 * <pre>{@code
 * AllocationRequest.of(12_441_600).withHeaps("camera",
 * "system").withRequirement("(heap.dmabuf=true)").withName("frame") }</pre>
 */
public final class AllocationRequest {
    /** The values of one request; written before the request exists, and never afterwards. */
    private static final class Terms implements Cloneable {
        private long size;
        private List<String> heaps = List.of();
        private OptionalLong mask = OptionalLong.empty();
        private Optional<String> requirement = Optional.empty();
        private Set<String> emulations = Set.of();
        private long alignment = 1;
        private ExportMode export = ExportMode.READ_WRITE;
        private Optional<String> name = Optional.empty();
        private Duration timeout = Duration.ZERO;

        Terms copy() {
            try {
                return (Terms) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** Longer waits are as good as endless, and their nanoseconds must fit a long. */
    private static final Duration LONGEST_TIMEOUT = Duration.ofDays(365);

    private final Terms terms;

    private AllocationRequest(Terms terms) {
        this.terms = terms;
    }

    /**
     * A request for memory from the heap of the highest priority, exportable for reading and writing.
     *
     * @param size in bytes, at least 1; the buffer is as large or larger, see {@link DmaBuf#size()}
     * @return a request
     * @throws IllegalArgumentException for a size below 1, or one that cannot be rounded up to whole pages
     */
    public static AllocationRequest of(long size) {
        Terms terms = new Terms();
        terms.size = RequestChecks.size(size);
        return new AllocationRequest(terms);
    }

    /**
     * The same request for another size.
     *
     * @param size in bytes, at least 1
     * @return a request
     * @throws IllegalArgumentException as {@link #of}
     */
    public AllocationRequest withSize(long size) {
        Terms changed = terms.copy();
        changed.size = RequestChecks.size(size);
        return new AllocationRequest(changed);
    }

    /**
     * Names the heaps to ask, in this order; replaces {@link #withMask}.
     *
     * @param names {@code heap.name} of each; without any, every heap may be asked
     * @return a request
     * @throws IllegalArgumentException for a name that is blank or given twice
     */
    public AllocationRequest withHeaps(String... names) {
        Terms changed = terms.copy();
        changed.heaps = List.of(distinct("heap", names));
        changed.mask = OptionalLong.empty();
        return new AllocationRequest(changed);
    }

    /**
     * Names the heaps by their ids, as ION did: bit n is the heap of {@code heap.id} n. They are asked in order of
     * {@code heap.priority}, then of the highest id. Replaces {@link #withHeaps}.
     *
     * @param heapIds 64 bits, at least one of them set; write {@code 1L << id}
     * @return a request
     * @throws IllegalArgumentException for 0, which names no heap
     */
    public AllocationRequest withMask(long heapIds) {
        if (heapIds == 0) {
            throw new IllegalArgumentException("invalid mask = 0: expected the bit 1L << heap.id of each heap to ask");
        }
        Terms changed = terms.copy();
        changed.heaps = List.of();
        changed.mask = OptionalLong.of(heapIds);
        return new AllocationRequest(changed);
    }

    /**
     * What every candidate must be able to do. A heap that falls short is skipped, also as a fallback.
     *
     * @param filter an OSGi filter over the service properties of {@link HeapProperties}, such as
     *     {@code (heap.contiguous=true)}
     * @return a request
     * @throws IllegalArgumentException for a text that is not a filter
     */
    public AllocationRequest withRequirement(String filter) {
        Objects.requireNonNull(filter, "invalid requirement = null: expected an OSGi filter");
        try {
            FrameworkUtil.createFilter(filter);
        } catch (InvalidSyntaxException e) {
            throw new IllegalArgumentException(
                    "invalid requirement = '" + RequestChecks.printable(filter)
                            + "': expected an OSGi filter such as (heap.contiguous=true)",
                    e);
        }
        Terms changed = terms.copy();
        changed.requirement = Optional.of(filter);
        return new AllocationRequest(changed);
    }

    /**
     * Accepts heaps that only emulate something. Without it every heap that announces {@code heap.emulates} is skipped.
     * For the requirement an emulation that is accepted counts as the real thing.
     *
     * @param emulations values of {@code heap.emulates} that will do, such as {@code contiguous}
     * @return a request
     * @throws IllegalArgumentException for a value that is blank or given twice
     */
    public AllocationRequest withEmulations(String... emulations) {
        Terms changed = terms.copy();
        changed.emulations = Set.of(distinct("emulation", emulations));
        return new AllocationRequest(changed);
    }

    /**
     * How the memory must be aligned for its devices.
     *
     * @param bytes a power of two; 1, the default, leaves it to the heap
     * @return a request
     * @throws IllegalArgumentException for a number that is not a power of two
     */
    public AllocationRequest withAlignment(long bytes) {
        Terms changed = terms.copy();
        changed.alignment = RequestChecks.alignment(bytes);
        return new AllocationRequest(changed);
    }

    /**
     * What the holder of a descriptor may do. It is fixed here, because it cannot be narrowed later.
     *
     * @param mode {@link ExportMode#READ_WRITE} by default
     * @return a request
     */
    public AllocationRequest withExport(ExportMode mode) {
        Terms changed = terms.copy();
        changed.export = Objects.requireNonNull(mode, "invalid export = null: expected an ExportMode");
        return new AllocationRequest(changed);
    }

    /**
     * A name for people: it is seen in listings, and by the kernel's debug files where the heap's back end has a place
     * for it.
     *
     * @param name 1 to 31 bytes of UTF-8 without control characters, which is the kernel's limit
     * @return a request
     * @throws IllegalArgumentException for a name that is empty, too long, or has control characters
     */
    public AllocationRequest withName(String name) {
        Terms changed = terms.copy();
        changed.name = Optional.of(RequestChecks.bufferName(name));
        return new AllocationRequest(changed);
    }

    /**
     * How long {@link HeapBroker#allocate} may wait for memory that other holders give back, when every heap is short.
     * Memory that the client itself has closed and unmapped is waited for in any case, since its return is under way.
     *
     * @param timeout zero, the default, does not wait for other holders
     * @return a request
     * @throws IllegalArgumentException for a negative time, or one above 365 days
     */
    public AllocationRequest withTimeout(Duration timeout) {
        Objects.requireNonNull(timeout, "invalid timeout = null: expected a duration");
        if (timeout.isNegative() || timeout.compareTo(LONGEST_TIMEOUT) > 0) {
            throw new IllegalArgumentException(
                    "invalid timeout = " + timeout + ": expected zero to " + LONGEST_TIMEOUT.toDays() + " days");
        }
        Terms changed = terms.copy();
        changed.timeout = timeout;
        return new AllocationRequest(changed);
    }

    private static String[] distinct(String what, String... values) {
        Objects.requireNonNull(values, () -> "invalid " + what + "s = null: expected an array");
        Set<String> seen = new HashSet<>();
        for (String value : values) {
            Objects.requireNonNull(value, () -> "invalid " + what + " = null: expected a text");
            if (value.isBlank()) {
                throw new IllegalArgumentException(
                        "invalid " + what + " = '" + RequestChecks.printable(value) + "': expected a text");
            }
            if (!seen.add(value)) {
                throw new IllegalArgumentException(
                        "invalid " + what + " = '" + RequestChecks.printable(value) + "': expected each once");
            }
        }
        return values;
    }

    /** {@return bytes wanted} */
    public long size() {
        return terms.size;
    }

    /** {@return names of heaps in the order to ask them; empty when routed otherwise} */
    public List<String> heaps() {
        return terms.heaps;
    }

    /** {@return heap ids as bits, empty when routed otherwise} */
    public OptionalLong mask() {
        return terms.mask;
    }

    /** {@return the filter that each candidate must match} */
    public Optional<String> requirement() {
        return terms.requirement;
    }

    /** {@return values of {@code heap.emulates} that will do} */
    public Set<String> emulations() {
        return terms.emulations;
    }

    /** {@return bytes, a power of two} */
    public long alignment() {
        return terms.alignment;
    }

    /** {@return what the holder of a descriptor may do} */
    public ExportMode export() {
        return terms.export;
    }

    /** {@return the name for people} */
    public Optional<String> name() {
        return terms.name;
    }

    /** {@return how long to wait for memory that other holders give back} */
    public Duration timeout() {
        return terms.timeout;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("request of ").append(terms.size).append(" bytes");
        terms.name.ifPresent(name -> text.append(" '").append(name).append('\''));
        if (terms.mask.isPresent()) {
            text.append(" from mask 0x").append(Long.toHexString(terms.mask.getAsLong()));
        } else if (!terms.heaps.isEmpty()) {
            text.append(" from ").append(String.join(", ", terms.heaps));
        }
        terms.requirement.ifPresent(filter -> text.append(" with ").append(filter));
        return text.toString();
    }
}
