// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.spi.HeapExporter;

/**
 * Registry of heaps, as they arrive, change and leave. Each change publishes a new {@link RoutingTable}; readers
 * take no lock. No code of a heap runs under the lock. Lists in a heap's properties are copied before, because even
 * their methods may be a vendor's code.
 */
public final class HeapRegistry {
    /** A heap that has left while buffers of it exist, or while calls still inside it may create buffers. */
    public record Departed(HeapDescription description, HeapAccount account, CallGate gate) {
        boolean settled() {
            return gate.empty() && account.buffers() == 0; // in this order: calls charge before they leave
        }
    }

    private final Ledger ledger;
    private final List<RegisteredHeap> arrivals = new ArrayList<>();
    private final List<RegisteredHeap> draining = new ArrayList<>();
    /**
     * The accounts by name. An account continues when a heap of the same name returns, for instance after an update.
     */
    private final Map<String, HeapAccount> accounts = new HashMap<>();

    private final List<Departed> departed = new ArrayList<>();
    private final AtomicLong turns = new AtomicLong();
    private boolean closed;
    private volatile RoutingTable routes = RoutingTable.NONE;

    public HeapRegistry(Ledger ledger) {
        this.ledger = ledger;
    }

    public RoutingTable routes() {
        return routes;
    }

    /**
     * Adds a heap.
     *
     * @param service its {@code service.id}
     * @param exporter its service object, null when the framework returned none
     * @param properties the announced properties
     * @param bundle symbolic name of the bundle that announced it
     * @return the heap as it is registered now
     */
    public RegisteredHeap arrived(long service, HeapExporter exporter, Map<String, ?> properties, String bundle) {
        Announced announced = Announced.of(turns.incrementAndGet(), service, properties, bundle);
        synchronized (this) {
            RegisteredHeap heap = heap(service, exporter, new CallGate(), announced);
            heap.account().renew();
            arrivals.add(heap);
            publish();
            return heap;
        }
    }

    /**
     * Replaces the properties of a heap. The heap keeps its place in the order of arrival.
     *
     * @param service its {@code service.id}
     * @param properties reads the current properties from the framework; of two concurrent calls, the later one takes
     *     effect
     * @return the heap as it is registered now, or null when it is unknown
     */
    public RegisteredHeap changed(long service, Supplier<? extends Map<String, ?>> properties) {
        long turn = turns.incrementAndGet(); // taken first: a later turn never has older properties
        Announced announced = Announced.of(turn, service, properties.get(), bundle(service));
        synchronized (this) {
            return changed(service, announced);
        }
    }

    private RegisteredHeap changed(long service, Announced announced) {
        for (int i = 0; i < arrivals.size(); i++) {
            RegisteredHeap before = arrivals.get(i);
            if (before.service() == service) {
                if (announced.turn() < before.turn()) {
                    return before;
                }
                RegisteredHeap after = heap(service, before.exporter(), before.gate(), announced);
                arrivals.set(i, after);
                if (after.account() != before.account()) {
                    depart(before);
                }
                publish();
                return after;
            }
        }
        return null;
    }

    /**
     * Removes a heap from the routes; it is listed as draining until {@link #gone}.
     *
     * @param service its {@code service.id}
     * @return the heap, or null when it is unknown
     */
    public synchronized RegisteredHeap leaving(long service) {
        for (int i = 0; i < arrivals.size(); i++) {
            RegisteredHeap heap = arrivals.get(i);
            if (heap.service() == service) {
                arrivals.remove(i);
                draining.add(heap);
                publish();
                return heap;
            }
        }
        if (closed) {
            for (RegisteredHeap heap : draining) {
                if (heap.service() == service) {
                    return heap;
                }
            }
        }
        return null;
    }

    /**
     * Removes every heap from the routes, because the broker stops. Each stays listed as draining until {@link #gone}.
     *
     * @return all heaps that have not left
     */
    public synchronized List<RegisteredHeap> close() {
        closed = true;
        draining.addAll(arrivals);
        arrivals.clear();
        publish();
        return List.copyOf(draining);
    }

    /** Removes a heap that has drained. The account of its buffers stays. */
    public synchronized void gone(RegisteredHeap heap) {
        draining.removeIf(leaving -> leaving == heap); // compares identities
        depart(heap);
        publish();
    }

    private void depart(RegisteredHeap heap) {
        departed.add(new Departed(heap.description(), heap.account(), heap.gate()));
    }

    /** {@return heaps that have left, have not returned under the same name, and have charged buffers} */
    public synchronized List<Departed> departed() {
        prune();
        return departed.stream().filter(left -> left.account().buffers() > 0).toList();
    }

    /** {@return every heap that has not left, in no order} */
    public synchronized List<RegisteredHeap> present() {
        List<RegisteredHeap> all = new ArrayList<>(arrivals);
        all.addAll(draining);
        return all;
    }

    private synchronized String bundle(long service) {
        for (RegisteredHeap heap : arrivals) {
            if (heap.service() == service) {
                return heap.description().bundle();
            }
        }
        return "";
    }

    /** The announcement of a heap, read without the lock. */
    private record Announced(long turn, HeapDescription description, String refusal) {
        static Announced of(long turn, long service, Map<String, ?> properties, String bundle) {
            try {
                return new Announced(turn, HeapDescription.of(properties, bundle), "");
            } catch (HeapDescription.Refused e) {
                return new Announced(
                        turn, HeapDescription.refused("service " + service, properties, bundle), e.getMessage());
            }
        }
    }

    private RegisteredHeap heap(long service, HeapExporter exporter, CallGate gate, Announced announced) {
        HeapDescription description = announced.description();
        String refusal = exporter == null ? "its service object is null" : announced.refusal();
        HeapAccount account = refusal.isEmpty()
                ? accounts.computeIfAbsent(description.name(), ledger::open)
                : new HeapAccount(description.name());
        return new RegisteredHeap(announced.turn(), service, exporter, gate, description, refusal, account);
    }

    private void publish() {
        RoutingTable now = RoutingTable.of(arrivals, draining, routes);
        for (HeapStanding listed : now.listed()) {
            if (listed.state() == HeapState.SERVING) { // not for shadowed heaps of the same name
                RegisteredHeap heap = listed.heap();
                ledger.announced(heap.account(), heap.description().quota());
            }
        }
        routes = now;
        prune();
    }

    /**
     * Removes accounts without a heap and without buffers, and departures that have settled or were undone. It runs
     * after new routes are published, so it sees a thread that entered a gate and then still found the heap in the
     * routes.
     */
    public synchronized void prune() {
        departed.removeIf(
                left -> left.settled() || present().stream().anyMatch(heap -> heap.account() == left.account()));
        accounts.values().removeIf(account -> {
            boolean unused = present().stream().noneMatch(heap -> heap.account() == account)
                    && departed.stream().noneMatch(left -> left.account() == account);
            if (unused) {
                ledger.close(account);
            }
            return unused;
        });
    }
}
