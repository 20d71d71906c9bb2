// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Request of a client: how much, from where, and what the memory must be able to do. Immutable: each method returns
 * another request, and one request can be used any number of times, by any thread. Values are checked by the broker,
 * which answers a wrong one with {@link Errno#EINVAL} and a sentence.
 *
 * <pre>{@code
 * AllocationRequest.of(12_441_600).from("camera", "system").requiring("(heap.dmabuf=true)").name("frame 7")
 * }</pre>
 */
public final class AllocationRequest {
    private final long size;
    private final List<String> heaps;
    private final OptionalLong mask;
    private final Optional<String> requirement;
    private final Set<String> emulations;
    private final long alignment;
    private final long heapFlags;
    private final boolean exportable;
    private final Access exports;
    private final String name;

    private AllocationRequest(
            long size,
            List<String> heaps,
            OptionalLong mask,
            Optional<String> requirement,
            Set<String> emulations,
            long alignment,
            long heapFlags,
            boolean exportable,
            Access exports,
            String name) {
        this.size = size;
        this.heaps = heaps;
        this.mask = mask;
        this.requirement = requirement;
        this.emulations = emulations;
        this.alignment = alignment;
        this.heapFlags = heapFlags;
        this.exportable = exportable;
        this.exports = exports;
        this.name = name;
    }

    /**
     * A request for memory from the heap of the highest priority, exportable for reading and writing.
     *
     * @param size in bytes, at least 1; the buffer is as large or larger, see {@link DmaBuf#size()}
     * @return a request
     */
    public static AllocationRequest of(long size) {
        return new AllocationRequest(
                size,
                List.of(),
                OptionalLong.empty(),
                Optional.empty(),
                Set.of(),
                1,
                0,
                true,
                Access.READ_WRITE,
                "");
    }

    /**
     * Names the heaps to ask, in this order; replaces {@link #fromMask}.
     *
     * @param names {@code heap.name} of each; none means any heap
     * @return a request
     */
    public AllocationRequest from(String... names) {
        return new AllocationRequest(
                size,
                List.of(names),
                OptionalLong.empty(),
                requirement,
                emulations,
                alignment,
                heapFlags,
                exportable,
                exports,
                name);
    }

    /**
     * Names the heaps by their ids, as ION did: bit n is the heap of {@code heap.id} n. They are asked in order of
     * {@code heap.priority}, then of the highest id. Replaces {@link #from}.
     *
     * @param heapIds 64 bits; write {@code 1L << id}
     * @return a request
     */
    public AllocationRequest fromMask(long heapIds) {
        return new AllocationRequest(
                size,
                List.of(),
                OptionalLong.of(heapIds),
                requirement,
                emulations,
                alignment,
                heapFlags,
                exportable,
                exports,
                name);
    }

    /**
     * What every candidate must be able to do. A heap that falls short is skipped, also as a fallback.
     *
     * @param filter an OSGi filter over the service properties of {@link HeapProperties}, such as
     *     {@code (heap.contiguous=true)}
     * @return a request
     */
    public AllocationRequest requiring(String filter) {
        return new AllocationRequest(
                size,
                heaps,
                mask,
                Optional.of(filter),
                emulations,
                alignment,
                heapFlags,
                exportable,
                exports,
                name);
    }

    /**
     * Accepts heaps that only emulate something. Without it every heap that announces {@code heap.emulates} is skipped.
     * For the requirement an emulation that is accepted counts as the real thing.
     *
     * @param what values of {@code heap.emulates} that will do, such as {@code contiguous}
     * @return a request
     */
    public AllocationRequest allowEmulated(String... what) {
        return new AllocationRequest(
                size,
                heaps,
                mask,
                requirement,
                Set.of(what),
                alignment,
                heapFlags,
                exportable,
                exports,
                name);
    }

    /**
     * How the memory must be aligned for its devices.
     *
     * @param bytes a power of two; 1, the default, leaves it to the heap
     * @return a request
     */
    public AllocationRequest alignment(long bytes) {
        return new AllocationRequest(
                size, heaps, mask, requirement, emulations, bytes, heapFlags, exportable, exports, name);
    }

    /**
     * Flags that the heap itself defines; no kernel heap defines any today.
     *
     * @param flags 0 by default
     * @return a request
     */
    public AllocationRequest heapFlags(long flags) {
        return new AllocationRequest(
                size, heaps, mask, requirement, emulations, alignment, flags, exportable, exports, name);
    }

    /**
     * Whether a descriptor will be wanted. Without one a heap can be faster: a carveout hands out a range with no
     * system call.
     *
     * @param wanted true by default; false makes {@link DmaBuf#exportFd} answer {@link Errno#ENOTSUP}
     * @return a request
     */
    public AllocationRequest exportable(boolean wanted) {
        return new AllocationRequest(
                size, heaps, mask, requirement, emulations, alignment, heapFlags, wanted, exports, name);
    }

    /**
     * What the receiver of a descriptor may do with it. It is fixed here because it cannot be narrowed later. Heaps
     * that cannot keep a receiver from writing are skipped for {@link Access#READ}.
     *
     * @param access {@link Access#READ} or {@link Access#READ_WRITE}, the default
     * @return a request
     */
    public AllocationRequest exports(Access access) {
        return new AllocationRequest(
                size,
                heaps,
                mask,
                requirement,
                emulations,
                alignment,
                heapFlags,
                exportable,
                Objects.requireNonNull(access),
                name);
    }

    /**
     * A name for people: it is seen in listings, and by the kernel's debug files where the heap's backend has a place
     * for it.
     *
     * @param text at most 31 bytes of UTF-8 without control characters, which is the kernel's limit
     * @return a request
     */
    public AllocationRequest name(String text) {
        return new AllocationRequest(
                size,
                heaps,
                mask,
                requirement,
                emulations,
                alignment,
                heapFlags,
                exportable,
                exports,
                Objects.requireNonNull(text));
    }

    /** {@return bytes wanted} */
    public long size() {
        return size;
    }

    /** {@return names of heaps in the order to ask them; empty when routed otherwise} */
    public List<String> heaps() {
        return heaps;
    }

    /** {@return heap ids as bits, empty when routed otherwise} */
    public OptionalLong mask() {
        return mask;
    }

    /** {@return the filter that each candidate must match} */
    public Optional<String> requirement() {
        return requirement;
    }

    /** {@return values of {@code heap.emulates} that will do} */
    public Set<String> emulations() {
        return emulations;
    }

    /** {@return bytes, a power of two} */
    public long alignment() {
        return alignment;
    }

    /** {@return flags for the heap itself} */
    public long heapFlags() {
        return heapFlags;
    }

    /** {@return whether a descriptor will be wanted} */
    public boolean exportable() {
        return exportable;
    }

    /** {@return what the receiver of a descriptor may do} */
    public Access exports() {
        return exports;
    }

    /** {@return the name, empty for none} */
    public String name() {
        return name;
    }
}
