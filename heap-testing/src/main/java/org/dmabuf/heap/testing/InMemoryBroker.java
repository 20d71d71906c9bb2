// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.constraint.Demand;

/**
 * Broker for the unit tests of a client. It needs neither a framework nor Linux nor native access. It routes, charges
 * and refuses as the real broker does, and a test can make it fail.
 *
 * <pre>{@code
 * try (InMemoryBroker broker = InMemoryBroker.of(
 *         InMemoryHeap.of("system", 64L << 20),
 *         InMemoryHeap.of("camera", 8L << 20).with(HeapProperties.CONTIGUOUS, true))) {
 *     new Grabber(broker).grab();
 *     broker.requireNothingOpen();
 * }
 * }</pre>
 *
 * <p>It differs from the real broker in these respects:
 * <ul>
 *   <li>Nothing is shared with another process. Exported descriptors have numbers from 1000000 upwards, which are not
 *       descriptors of the kernel; {@link #adopt} accepts only these.
 *   <li>A detached descriptor stays open until {@code own(number).close()}, which the test's replacement of a native
 *       library calls.
 *   <li>No device uses the memory, so {@link org.dmabuf.heap.DmaBuf#awaitDevices} returns at once.
 *   <li>There is no configuration: {@code heap.restricted} has no effect, and any client may open views.
 *   <li>Demands of devices are those of {@link #addDemands}. Heaps of equal priority are not ordered by scarcity.
 *   <li>The monitor times no allocation, counts no leak and reports no memory stall.
 *   <li>A reference that a client loses without closing stays open, so that {@link #requireNothingOpen} reports it.
 *   <li>Mappings are those of a temporary file. Without native access Java does not report the end of an arena, so the
 *       broker notices it only at a later call.
 * </ul>
 *
 * <p>Any thread may call any method.
 */
public final class InMemoryBroker extends ClientBroker implements AutoCloseable {
    private static final ClientId CLIENT = ClientId.ofBundle("org.example.client", "in-memory");

    private final HeapMonitor monitor = new Monitor(inventory(), CLIENT);

    private InMemoryBroker(Inventory inventory) {
        super(inventory, CLIENT, "");
    }

    /**
     * Makes a broker with heaps.
     *
     * @param heaps heaps with different names and {@code heap.id}s; more may be added
     * @return a broker, which the caller closes
     * @throws IllegalArgumentException when two heaps have the same name or id
     */
    public static InMemoryBroker of(InMemoryHeap... heaps) {
        Inventory inventory = new Inventory();
        List.of(heaps).forEach(inventory::add);
        return new InMemoryBroker(inventory);
    }

    /**
     * Adds a heap, which serves at once, including requests that wait.
     *
     * @param heap with a name and an id that no other heap has
     * @throws IllegalArgumentException for a name or id that another heap has
     */
    public void add(InMemoryHeap heap) {
        inventory().add(heap);
    }

    /**
     * Removes a heap, as when its bundle stops. Its buffers stay valid.
     *
     * @param heap the heap's name
     * @throws IllegalArgumentException when no heap with this name serves
     */
    public void remove(String heap) {
        inventory().remove(heap);
    }

    /**
     * Adds demands of devices, as sources of a gateway find them. A request for a device without demands is refused.
     *
     * @param demands {@link Demand#who()} of each is the device as a request names it
     */
    public void addDemands(Demand... demands) {
        inventory().add(List.of(demands));
    }

    /**
     * Fails the next allocation of any client. Several calls fail as many allocations, in order.
     *
     * @param failure the exception that the allocation throws
     */
    public void failNext(HeapException failure) {
        inventory().failNext(Objects.requireNonNull(failure, "invalid failure = null: expected a HeapException"));
    }

    /**
     * Returns the service that another bundle would get for a publication. References that it opens belong to this
     * client, because there is only one.
     *
     * @param name the name passed to {@link #publish}
     * @return the first publication with that name, empty when there is none or it has ended
     */
    public Optional<PublishedBuffer> published(String name) {
        return inventory().published(name).map(published -> published.to(this));
    }

    /** {@return a monitor of this broker, whose figures are current at each call} */
    public HeapMonitor monitor() {
        return monitor;
    }

    /**
     * Requires that the client has closed everything: references, mappings, CPU accesses, descriptors, publications and
     * views.
     *
     * @throws IllegalStateException with a list of all open objects and the places where they were opened
     */
    public void requireNothingOpen() {
        List<String> open = inventory().open();
        if (!open.isEmpty()) {
            throw new IllegalStateException(
                    "expected nothing open, found " + open.size() + ":\n  " + String.join("\n  ", open));
        }
    }

    /** Closes every open resource, as when the client's bundle stops. Mappings stay valid until their arenas end. */
    @Override
    public void close() {
        takeBack("the in-memory broker is closed; make another with InMemoryBroker.of");
    }
}
