// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.testing.Account.Key;

/**
 * Inventory of heaps, of their charged memory, and of the objects that clients have open. One lock guards all of it.
 */
final class Inventory {
    private static final long PAGE = 4096;
    /** Interval of checks for ended arenas, because an arena that ends wakes no thread. */
    private static final long LOOK_MILLIS = 5;

    private final List<InMemoryHeap> heaps = new ArrayList<>();
    private final Ledger ledger = new Ledger();
    private final Map<Integer, Exported> descriptors = new HashMap<>();
    private final Set<View> views = new LinkedHashSet<>();
    /** The demands of devices. */
    private final List<Demand> known = new ArrayList<>();

    private final Queue<HeapException> failures = new ArrayDeque<>();
    /** Incremented when a request that failed for lack of memory may succeed. */
    private long chances;

    synchronized void add(InMemoryHeap heap) {
        for (InMemoryHeap other : heaps) {
            if (other.name().equals(heap.name())
                    || other.id().isPresent() && other.id().equals(heap.id())) {
                throw new IllegalArgumentException(
                        "invalid heap = " + heap + ": expected a name and a heap.id that " + other + " does not have");
            }
        }
        heaps.add(heap);
        heaps.sort(Comparator.comparingInt(InMemoryHeap::priority)
                .thenComparingInt(one -> one.id().orElse(-1))
                .reversed());
        another();
    }

    synchronized void remove(String name) {
        if (!heaps.removeIf(heap -> heap.name().equals(name))) {
            throw new IllegalArgumentException("invalid heap = '" + name + "': expected one of " + heaps);
        }
        another();
    }

    private void another() {
        chances++;
        notifyAll();
    }

    synchronized void failNext(HeapException failure) {
        failures.add(failure);
    }

    /** Adds demands of devices. */
    synchronized void add(List<Demand> more) {
        known.addAll(more);
    }

    /** {@return the demands of a device, with the kinds that the heaps declare; empty if it is not known} */
    synchronized List<Demand> demandsOf(String device) {
        List<Demand> its =
                known.stream().filter(demand -> demand.who().equals(device)).toList();
        return DeclaredKinds.of(heaps).resolve(its);
    }

    /** {@return the demands of a request and of its devices} */
    synchronized List<Demand> demands(AllocationRequest request) {
        List<Demand> all = new ArrayList<>();
        for (String device : request.devices()) {
            List<Demand> its = demandsOf(device);
            if (its.isEmpty()) {
                throw HeapException.of(
                        Errno.ENODEV,
                        "the demands of device " + device + " are unknown; add them with InMemoryBroker.addDemands");
            }
            all.addAll(its);
        }
        all.addAll(request.demands());
        return List.copyOf(all);
    }

    /** {@return a request without demands, which asks only the heaps that meet these} */
    synchronized AllocationRequest shape(AllocationRequest request, List<Demand> demands) {
        List<Demand> resolved = DeclaredKinds.of(heaps).resolve(demands);
        List<InMemoryHeap> suitable = Walk.planned(request, heaps, resolved).suitable();
        return new Demands(resolved, request.size()).shape(request, suitable);
    }

    synchronized List<DmaBuf> allocate(ClientBroker client, AllocationRequest request, int count) {
        long began = System.nanoTime();
        long deadline = began + request.timeout().toNanos();
        boolean waits = false;
        try {
            HeapException planned = failures.poll();
            if (planned != null) {
                throw planned;
            }
            while (true) {
                requireUninterrupted();
                client.requireActive();
                try {
                    return take(client, request, count);
                } catch (HeapShortageException e) {
                    if (request.timeout().isZero()) {
                        throw e;
                    }
                    waits = true;
                    if (!awaitChance(deadline)) {
                        throw waited(e, request.timeout());
                    }
                }
            }
        } catch (HeapException e) {
            ledger.account(Key.of(client.client())).failed(e.errno());
            throw e;
        } finally {
            if (waits) {
                ledger.account(Key.of(client.client())).waited(Duration.ofNanos(System.nanoTime() - began));
            }
        }
    }

    private List<DmaBuf> take(ClientBroker client, AllocationRequest request, int count) {
        endLapsed();
        long size = Math.ceilDiv(request.size(), PAGE) * PAGE;
        InMemoryHeap heap = new Walk(request, heaps).serving(asked -> shortage(asked, size, count));
        List<DmaBuf> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Memory memory = Memory.of(heap, client, size, request.name(), request.export());
            all.add(begin(memory, new Reference(memory, client, Access.READ_WRITE)));
        }
        return List.copyOf(all);
    }

    private Optional<String> shortage(InMemoryHeap heap, long size, int count) {
        long used = ledger.chargedBytes(heap.name());
        if ((heap.limit() - used) / size >= count) {
            return Optional.empty();
        }
        ledger.account(Key.of(heap.name())).failed(Errno.ENOMEM);
        return Optional.of((count == 1 ? "" : count + " buffers of ") + size + " bytes do not fit: " + used + " of "
                + heap.limit() + " bytes are used; close buffers, or give the heap more in InMemoryHeap.of");
    }

    private static HeapException waited(HeapException last, Duration timeout) {
        return HeapException.ofAttempts(
                last.errno(),
                last.heap(),
                last.reason() + "; waited " + timeout.toMillis() + " ms for memory of other holders",
                last,
                last.attempts());
    }

    private boolean awaitChance(long deadline) {
        long seen = chances;
        try {
            for (long left = deadline - System.nanoTime(); left > 0; left = deadline - System.nanoTime()) {
                wait(Math.clamp(TimeUnit.NANOSECONDS.toMillis(left), 1, LOOK_MILLIS));
                endLapsed();
                if (chances != seen) {
                    return true;
                }
            }
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw interrupted();
        }
    }

    private static void requireUninterrupted() {
        if (Thread.currentThread().isInterrupted()) {
            throw interrupted();
        }
    }

    private static HeapException interrupted() {
        return HeapException.of(
                Errno.EINTR, "the allocation was interrupted; nothing is held, and the thread stays interrupted");
    }

    private Reference begin(Memory memory, Reference first) {
        memory.uses().add(first);
        ledger.charge(memory);
        return first;
    }

    /** Adds an open object that was opened through an open reference or publication. */
    synchronized <U extends Use> U open(U use, Use through) {
        through.requireOpen();
        use.client().requireActive();
        use.memory().uses().add(use);
        return use;
    }

    synchronized OwnedFd export(Exported exported, Reference through) {
        open(exported, through);
        exported.memory().markExported();
        descriptors.put(exported.number(), exported);
        return exported.open();
    }

    /** Closes an open object. Closing the last one of a memory releases the memory. */
    synchronized void end(Use use) {
        Memory memory = use.memory();
        if (!memory.uses().remove(use)) {
            return;
        }
        use.markOver();
        if (use instanceof Exported exported) {
            descriptors.remove(exported.number());
        }
        if (memory.uses().isEmpty()) {
            ledger.release(memory);
            memory.end();
        }
        another();
    }

    private void endLapsed() {
        for (Memory memory : ledger.charged()) {
            List.copyOf(memory.uses()).stream().filter(Use::hasLapsed).forEach(this::end);
        }
    }

    /** Closes a descriptor by its number. Does nothing for a descriptor of another origin. */
    synchronized void closeDescriptor(int number) {
        Exported exported = descriptors.get(number);
        if (exported != null) {
            end(exported);
        }
    }

    synchronized Reference adopt(ClientBroker client, OwnedFd descriptor, Optional<String> name) {
        client.requireActive();
        try {
            Memory memory = exportedAs(descriptor.fd());
            int number = descriptor.detach(); // the buffer owns it from now on
            Memory adopted = memory.adopted(client, name, () -> closeDescriptor(number));
            Access granted = memory.export() == ExportMode.READ_WRITE ? Access.READ_WRITE : Access.READ;
            return begin(adopted, new Reference(adopted, client, granted));
        } catch (HeapException e) {
            ledger.account(Key.of(InMemoryHeap.ADOPTED.name())).failed(e.errno());
            ledger.account(Key.of(client.client())).failed(e.errno());
            throw e;
        }
    }

    private Memory exportedAs(int number) {
        Exported exported = descriptors.get(number);
        if (exported == null) {
            throw HeapException.of(
                    Errno.EBADFD,
                    InMemoryHeap.ADOPTED.name(),
                    "descriptor " + number + " refused: the in-memory broker adopts only its own memory; adopt a"
                            + " descriptor from DmaBuf.exportFd of the same broker");
        }
        return exported.memory();
    }

    /** {@return the first publication with a name} */
    synchronized Optional<Published> published(String name) {
        return uses().filter(Published.class::isInstance)
                .map(Published.class::cast)
                .filter(published -> published.name().equals(name))
                .findFirst();
    }

    private Stream<Use> uses() {
        return ledger.charged().stream().flatMap(memory -> List.copyOf(memory.uses()).stream());
    }

    synchronized View open(View view) {
        view.opener().requireActive();
        views.add(view);
        return view;
    }

    synchronized void forget(View view) {
        views.remove(view);
    }

    /** {@return the views that a client has opened, and its open objects of buffers} */
    synchronized List<View> viewsOf(ClientBroker opener) {
        return views.stream().filter(view -> view.opener() == opener).toList();
    }

    synchronized List<Use> usesOf(ClientBroker client) {
        return uses().filter(use -> use.client() == client).toList();
    }

    synchronized List<String> open() {
        endLapsed();
        return Stream.concat(uses().map(Use::described), views.stream().map(View::described))
                .toList();
    }

    synchronized List<HeapInfo> infos() {
        endLapsed();
        List<HeapInfo> all = new ArrayList<>();
        heaps.forEach(heap -> all.add(info(heap, HeapState.SERVING, Optional.empty())));
        ledger.charged().stream()
                .map(Memory::heap)
                .filter(heap -> heap != InMemoryHeap.ADOPTED && !isNamed(heap.name()))
                .distinct()
                .forEach(heap -> all.add(
                        info(heap, HeapState.DEPARTED, Optional.of("it has left; some of its buffers are open"))));
        return List.copyOf(all);
    }

    private boolean isNamed(String name) {
        return heaps.stream().anyMatch(heap -> heap.name().equals(name));
    }

    private HeapInfo info(InMemoryHeap heap, HeapState state, Optional<String> reason) {
        long free = Math.max(0, heap.limit() - ledger.chargedBytes(heap.name()));
        HeapUsage usage =
                HeapUsage.unknown().withCapacity(heap.capacity()).withFree(free).withLargestFree(free);
        return HeapInfo.of(heap.name(), state)
                .reason(reason)
                .plainRefusal(state == HeapState.SERVING ? heap.plainRefusal() : Optional.empty())
                .properties(heap.properties())
                .bundle("org.dmabuf.heap.testing")
                .usage(state == HeapState.SERVING ? usage : HeapUsage.unknown(), Duration.ZERO)
                .charged(ledger.record(Key.of(heap.name()))
                        .limit(OptionalLong.of(heap.limit()))
                        .build())
                .build();
    }

    /** {@return the ledger without the mappings whose arenas have ended; the caller holds this object's lock} */
    Ledger current() {
        endLapsed();
        return ledger;
    }

    /** {@return the heap that serves under a name; the caller holds this object's lock} */
    Optional<InMemoryHeap> serving(String name) {
        return heaps.stream().filter(heap -> heap.name().equals(name)).findFirst();
    }

    /** {@return the names of the serving heaps; the caller holds this object's lock} */
    List<String> serving() {
        return heaps.stream().map(InMemoryHeap::name).toList();
    }

    /** {@return whether a client has an open view; the caller holds this object's lock} */
    boolean isViewed(ClientId client) {
        return views.stream().anyMatch(view -> view.client().equals(client));
    }
}
