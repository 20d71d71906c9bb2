// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.PublishedBuffer;

/**
 * Broker for the unit tests of a client: it needs no framework, no Linux and no native access. It routes, charges and
 * refuses as the real broker does, and a test can have it fail.
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
 * <p>It is not the real broker in these respects:
 * <ul>
 *   <li>Nothing is shared with another process. Exported descriptors have numbers that no kernel knows, from
 *       1000000 up; {@link #adopt} takes these and refuses all others.
 *   <li>A detached descriptor stays open until {@code own(number).close()}, which a stand-in for a native library
 *       calls.
 *   <li>{@code heap.restricted} is announced only, and any client may open views: there is no configuration.
 *   <li>A reference that a client loses without closing it stays open, so that {@link #requireNothingOpen} names it.
 *   <li>Mappings are of a temporary file. Java without native access reports no arena's end, so the end is noticed at
 *       the next look at what is open.
 * </ul>
 *
 * <p>Any thread may call any method.
 */
public final class InMemoryBroker extends ClientBroker implements AutoCloseable {
    private static final ClientId CLIENT = ClientId.ofBundle("org.example.client", "in-memory");

    private final HeapMonitor monitor = new Monitor(inventory(), CLIENT);

    private InMemoryBroker(Inventory inventory) {
        super(inventory, CLIENT);
    }

    /**
     * A broker with heaps.
     *
     * @param heaps no two of one name or {@code heap.id}; more may be added
     * @return a broker, which the caller closes
     * @throws IllegalArgumentException for a name or id that two heaps have
     */
    public static InMemoryBroker of(InMemoryHeap... heaps) {
        Inventory inventory = new Inventory();
        List.of(heaps).forEach(inventory::add);
        return new InMemoryBroker(inventory);
    }

    /**
     * Adds a heap: it serves from now on, also requests that wait.
     *
     * @param heap of a name and an id that no other has
     * @throws IllegalArgumentException for a name or id that another heap has
     */
    public void add(InMemoryHeap heap) {
        inventory().add(heap);
    }

    /**
     * Has a heap leave, as when its bundle stops. Its buffers live on.
     *
     * @param heap the heap's name
     * @throws IllegalArgumentException for a name under which no heap serves
     */
    public void remove(String heap) {
        inventory().remove(heap);
    }

    /**
     * Fails the next allocation, of whatever client. Called several times, it fails as many allocations, in order.
     *
     * @param failure thrown as it is
     */
    public void failNext(HeapException failure) {
        inventory().failNext(Objects.requireNonNull(failure, "invalid failure = null: expected a HeapException"));
    }

    /**
     * The service that another bundle gets of a publication. What it opens is this client's, as there is but one.
     *
     * @param name as given to {@link #publish}
     * @return the first publication of that name, empty when there is none or it has ended
     */
    public Optional<PublishedBuffer> published(String name) {
        return inventory().published(name).map(published -> published.to(this));
    }

    /** {@return the figures of this broker, which are true at the moment of each call} */
    public HeapMonitor monitor() {
        return monitor;
    }

    /**
     * Requires that the client has given everything back: references, mappings, CPU accesses, descriptors, publications
     * and views.
     *
     * @throws IllegalStateException that names everything that is open, with the place where it was opened
     */
    public void requireNothingOpen() {
        List<String> open = inventory().open();
        if (!open.isEmpty()) {
            throw new IllegalStateException("expected nothing open, found " + open.size() + ":\n  "
                    + String.join("\n  ", open));
        }
    }

    /** Takes back what is open, as when the client's bundle stops; mappings stay valid until their arenas end. */
    @Override
    public void close() {
        takeBack("the in-memory broker is closed: make another with InMemoryBroker.of");
    }
}
