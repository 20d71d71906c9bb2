// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/**
 * Service properties that a heap announces and that a request matches. A property states a physical fact about the
 * memory. A heap that only emulates a property names it in {@link #EMULATES}. Figures that change with each allocation
 * are in {@link HeapUsage} instead.
 *
 * <table>
 * <caption>Service properties of a HeapExporter</caption>
 * <tr><th>name<th>type<th>default<th>meaning
 * <tr><td>{@code heap.name}<td>String<td>required<td>unique; names the memory and not the allocator. One to 64
 *     characters, no {@code /}, no {@code ..}, no blank; {@code ,} and {@code @} are usual
 * <tr><td>{@code heap.id}<td>Integer<td>none<td>0 to 63, unique: the heap's bit in a mask
 * <tr><td>{@code heap.type}<td>String<td>none<td>{@code system}, {@code system-contig}, {@code cma}, {@code carveout},
 *     {@code secure}, or a vendor's own word
 * <tr><td>{@code heap.priority}<td>Integer<td>0<td>a heap of higher priority is asked first
 * <tr><td>{@code heap.dmabuf}<td>Boolean<td>false<td>descriptors are real dma-bufs, which devices import; if false,
 *     other processes can map them, but devices cannot import them
 * <tr><td>{@code heap.contiguous}<td>Boolean<td>false<td>a buffer of any size is one physical run
 * <tr><td>{@code heap.contiguous.max}<td>Long<td>4096<td>bytes of physically contiguous memory: a buffer up to this
 *     size is one physical run; a larger one has runs of multiples of it. The default is the smallest page of any
 *     machine; a heap announces the page of its own machine
 * <tr><td>{@code heap.cached}<td>Boolean<td>true<td>CPU accesses go through the caches
 * <tr><td>{@code heap.protected}<td>Boolean<td>false<td>the hardware keeps the CPU out
 * <tr><td>{@code heap.mappable}<td>Boolean<td>true<td>{@link DmaBuf#map} works
 * <tr><td>{@code heap.export.readonly}<td>Boolean<td>false<td>the heap can export a descriptor through which no holder
 *     can write
 * <tr><td>{@code heap.restricted}<td>Boolean<td>false<td>a client may use the heap only if the broker's configuration
 *     has an {@code allow} entry for that client
 * <tr><td>{@code heap.quota}<td>Long<td>none<td>limit in bytes of the memory that is charged to the heap, unless the
 *     broker's {@code quota.heap} sets another; with 0 no client can allocate
 * <tr><td>{@code heap.alignment}<td>Long<td>4096<td>largest alignment in bytes that a request may have; as for
 *     {@code heap.contiguous.max}, commonly the page of the machine
 * <tr><td>{@code heap.dma.bits}<td>Integer<td>none<td>number of address bits: all physical addresses are below 2 to
 *     this power
 * <tr><td>{@code heap.address.min}, {@code heap.address.max}<td>Long<td>none<td>lowest and highest physical address of
 *     any byte, both included; two properties, because a filter matches a list if any element of it matches
 * <tr><td>{@code heap.numa}<td>Integer+<td>none<td>memory nodes from which all pages come
 * <tr><td>{@code heap.size.max}<td>Long<td>none<td>bytes of the largest buffer that the back end can make, however much
 *     memory is free; 0 if a limit of the machine permits no buffer
 * <tr><td>{@code heap.size.granule}<td>Long<td>none<td>bytes to whose multiples the heap enlarges each buffer, if they
 *     are more than a page
 * <tr><td>{@code heap.sg.entry}<td>Long<td>none<td>bytes of each entry in the scatter list that the heap's exporter
 *     gives to a device, a power of two, if they are fixed; each begins at a multiple of it
 * <tr><td>{@code heap.constraint.kinds}<td>String+<td>none<td>kinds of demand that this heap's own properties answer,
 *     such as {@code bank one-of acme.bank}, see {@link org.dmabuf.heap.constraint.ConstraintKind}
 * <tr><td>{@code heap.backend}<td>String<td>none<td>back end of the memory: {@code memfd}, {@code udmabuf},
 *     {@code dma-heap}, …
 * <tr><td>{@code heap.emulates}<td>String+<td>none<td>properties that the heap only emulates: {@code contiguous},
 *     {@code protected}
 * <tr><td>{@code heap.peers}<td>Integer+<td>none<td>user ids of the processes to which a descriptor may be sent; the
 *     sender checks them. An empty list forbids all; if absent, all are permitted
 * </table>
 */
public final class HeapProperties {
    /** The heap's unique name: String, required. {@code adopted} is reserved, see {@link HeapBroker#adopt}. */
    public static final String NAME = "heap.name";
    /** The heap's bit in a mask: Integer, 0 to 63, unique. */
    public static final String ID = "heap.id";
    /** The kind of heap: String. */
    public static final String TYPE = "heap.type";
    /** Priority; the heap with the highest is asked first: Integer, 0 when absent. */
    public static final String PRIORITY = "heap.priority";
    /** Descriptors are real dma-bufs: Boolean. */
    public static final String DMABUF = "heap.dmabuf";
    /** A buffer of any size is one physical run: Boolean. */
    public static final String CONTIGUOUS = "heap.contiguous";
    /** Size in bytes up to which memory is physically contiguous: Long. */
    public static final String CONTIGUOUS_MAX = "heap.contiguous.max";
    /** CPU accesses go through the caches: Boolean, true when absent. */
    public static final String CACHED = "heap.cached";
    /** The hardware keeps the CPU out: Boolean. */
    public static final String PROTECTED = "heap.protected";
    /** The CPU can map buffers: Boolean, true when absent. */
    public static final String MAPPABLE = "heap.mappable";
    /** The heap can export descriptors through which no holder can write: Boolean. */
    public static final String EXPORT_READONLY = "heap.export.readonly";
    /**
     * A client may use the heap only if the broker's configuration has an {@code allow} entry for that client: Boolean.
     */
    public static final String RESTRICTED = "heap.restricted";
    /** Limit in bytes of the charged memory, unless the broker's configuration has a quota for the heap: Long. */
    public static final String QUOTA = "heap.quota";
    /** Largest alignment in bytes that a request may have: Long, 4096 when absent. */
    public static final String ALIGNMENT = "heap.alignment";
    /** Physical addresses are below 2 to this power: Integer. */
    public static final String DMA_BITS = "heap.dma.bits";
    /** Lowest physical address of any byte: Long. */
    public static final String ADDRESS_MIN = "heap.address.min";
    /** Highest physical address of any byte: Long. */
    public static final String ADDRESS_MAX = "heap.address.max";
    /** Memory nodes from which all pages come: Integer, array or collection of Integer. */
    public static final String NUMA = "heap.numa";
    /** Bytes of the largest buffer that the back end can make: Long. */
    public static final String SIZE_MAX = "heap.size.max";
    /** Bytes to whose multiples the heap enlarges each buffer: Long. */
    public static final String SIZE_GRANULE = "heap.size.granule";
    /** Bytes of each entry in a device's scatter list, if they are fixed: Long, a power of two. */
    public static final String SG_ENTRY = "heap.sg.entry";
    /** Declarations of kinds of demand: String, array or collection of String. */
    public static final String CONSTRAINT_KINDS = "heap.constraint.kinds";
    /** Back end of the memory: String. */
    public static final String BACKEND = "heap.backend";
    /** Properties that the heap only emulates: String, array or collection of String. */
    public static final String EMULATES = "heap.emulates";
    /**
     * User ids of the peers to which a descriptor may be sent: Integer, array or collection of Integer; no restriction
     * when absent.
     */
    public static final String PEERS = "heap.peers";

    /** Service property of a published buffer: its name, String. */
    public static final String BUFFER_NAME = "dmabuf.name";
    /** Service property of a published buffer: bytes, Long. */
    public static final String BUFFER_SIZE = "dmabuf.size";

    /** Service property of a published buffer: the name of the {@link Access} that it grants, String. */
    public static final String BUFFER_ACCESS = "dmabuf.access";
    /**
     * {@code osgi.condition.id} of the OSGi Condition that the broker registers for each serving heap, see
     * {@link HeapBroker}.
     */
    public static final String CONDITION = "dmabuf.heap";

    private HeapProperties() {}
}
