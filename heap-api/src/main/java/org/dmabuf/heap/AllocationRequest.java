// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.dmabuf.heap.constraint.Demand;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.InvalidSyntaxException;

/**
 * Request of a client for memory: its size, the heaps to ask, and the properties that the memory must have. Immutable:
 * each {@code with} method returns another request, and one request can be used any number of times, by any thread.
 *
 * <p>Each method checks its argument. A null throws {@link NullPointerException}, an invalid value
 * {@link IllegalArgumentException}. Both messages name the value and the expected values.
 *
 * <pre>{@code
 * AllocationRequest.of(12_441_600)
 *         .withHeaps("camera", "system")
 *         .withRequirement("(heap.dmabuf=true)")
 *         .withName("frame")
 * }</pre>
 */
public final class AllocationRequest {
    /** The values of one request. They are written before the request is constructed and never afterwards. */
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
        private List<String> devices = List.of();
        private List<Demand> demands = List.of();

        Terms copy() {
            try {
                return (Terms) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** The nanoseconds of a timeout must fit into a long. */
    private static final Duration LONGEST_TIMEOUT = Duration.ofDays(365);

    private final Terms terms;

    private AllocationRequest(Terms terms) {
        this.terms = terms;
    }

    /**
     * Returns a request for memory from the heap of the highest priority, exportable for reading and writing.
     *
     * @param size in bytes, at least 1; the buffer can be larger, see {@link DmaBuf#size()}
     * @return a request
     * @throws IllegalArgumentException for a size below 1, or a size that cannot be rounded up to whole pages
     */
    public static AllocationRequest of(long size) {
        Terms terms = new Terms();
        terms.size = RequestChecks.size(size);
        return new AllocationRequest(terms);
    }

    /**
     * Returns this request with another size.
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
     * Sets the properties that a heap must have. A heap that does not match the filter is skipped, also as a fallback.
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
     * Accepts heaps that only emulate a property. Without this call every heap that announces {@code heap.emulates} is
     * skipped. The requirement treats an accepted emulation as the real property.
     *
     * @param emulations accepted values of {@code heap.emulates}, such as {@code contiguous}
     * @return a request
     * @throws IllegalArgumentException for a value that is blank or given twice
     */
    public AllocationRequest withEmulations(String... emulations) {
        Terms changed = terms.copy();
        changed.emulations = Set.of(distinct("emulation", emulations));
        return new AllocationRequest(changed);
    }

    /**
     * Sets the alignment that the devices need.
     *
     * @param bytes a power of two; with 1, the default, the heap chooses
     * @return a request
     * @throws IllegalArgumentException for a number that is not a power of two
     */
    public AllocationRequest withAlignment(long bytes) {
        Terms changed = terms.copy();
        changed.alignment = RequestChecks.alignment(bytes);
        return new AllocationRequest(changed);
    }

    /**
     * Sets the access of an exported descriptor. It is part of the request, because the access cannot be reduced after
     * the allocation.
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
     * Names the buffer. Listings show the name, and so do the kernel's debug files where the heap's back end supports
     * names.
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
     * Sets how long {@link HeapBroker#allocate} may wait for other holders to release memory when every heap is short.
     * The call always waits for memory that the client itself has closed and unmapped, because its release is in
     * progress.
     *
     * @param timeout zero, the default, means no wait for other holders
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

    /**
     * Names the devices that will use the buffer. The broker asks its sources for the demands of each device, and only
     * a heap that meets all of them serves the request. They restrict it further than names, masks, filters and
     * {@link #withDemands}. An accepted emulation meets no demand of a device.
     *
     * @param devices paths of device files, such as {@code /dev/video0}
     * @return a request
     * @throws IllegalArgumentException for a name that has blanks, is empty, or is given twice
     */
    public AllocationRequest forDevices(String... devices) {
        Terms changed = terms.copy();
        changed.devices = List.of(distinct("device", devices));
        changed.devices.forEach(RequestChecks::device);
        return new AllocationRequest(changed);
    }

    /**
     * Sets demands of the client on the memory, in addition to those of the devices.
     *
     * @param demands only a heap that meets all of them serves the request
     * @return a request
     */
    public AllocationRequest withDemands(Demand... demands) {
        Terms changed = terms.copy();
        Objects.requireNonNull(demands, "invalid demands = null: expected an array");
        changed.demands = List.of(demands);
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

    /** {@return the requested size in bytes} */
    public long size() {
        return terms.size;
    }

    /** {@return names of heaps in the order in which they are asked; empty when the request does not name heaps} */
    public List<String> heaps() {
        return terms.heaps;
    }

    /** {@return heap ids as bits; empty when the request has no mask} */
    public OptionalLong mask() {
        return terms.mask;
    }

    /** {@return the filter that each heap must match} */
    public Optional<String> requirement() {
        return terms.requirement;
    }

    /** {@return the accepted values of {@code heap.emulates}} */
    public Set<String> emulations() {
        return terms.emulations;
    }

    /** {@return the alignment in bytes, a power of two} */
    public long alignment() {
        return terms.alignment;
    }

    /** {@return the access of an exported descriptor} */
    public ExportMode export() {
        return terms.export;
    }

    /** {@return the name of the buffer in listings} */
    public Optional<String> name() {
        return terms.name;
    }

    /** {@return how long to wait for memory that other holders release} */
    public Duration timeout() {
        return terms.timeout;
    }

    /** {@return the devices that will use the buffer} */
    public List<String> devices() {
        return terms.devices;
    }

    /** {@return the demands of the client} */
    public List<Demand> demands() {
        return terms.demands;
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
        if (!terms.devices.isEmpty()) {
            text.append(" for ").append(String.join(", ", terms.devices));
        }
        if (!terms.demands.isEmpty()) {
            text.append(" with demands ").append(terms.demands);
        }
        return text.toString();
    }
}
