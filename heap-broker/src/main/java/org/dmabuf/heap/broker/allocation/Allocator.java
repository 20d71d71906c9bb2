// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import java.util.OptionalInt;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.SharedBuffer;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.CallGate;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.HeapStanding;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.broker.heap.ThrownText;
import org.dmabuf.heap.spi.HeapBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The allocator of the broker: it takes a request from heap to heap until one gives a buffer, or all have refused. Any
 * thread may call it.
 */
public final class Allocator {
    private static final Logger LOG = LoggerFactory.getLogger(Allocator.class);

    private final HeapRegistry registry;
    private final Ledger ledger;
    private final BufferServices services;

    public Allocator(HeapRegistry registry, Ledger ledger, BufferServices services) {
        this.registry = registry;
        this.ledger = ledger;
        this.services = services;
    }

    /**
     * Allocates for a client.
     *
     * @param client the client that gets the reference
     * @param request the request, not checked yet
     * @return the client's reference
     * @throws HeapException when no heap gave a buffer
     */
    public DmaBuf allocate(Client client, AllocationRequest request) {
        client.requireActive();
        BrokerEvents.Allocation record = services.events().allocating();
        try {
            Walk walk = new Walk(client, new CheckedRequest(request), registry.routes());
            BufferReference reference = walk.go();
            record.end(
                    client.bundle(), reference.heapName(), request.name(), request.size(), walk.attempts.count(), "");
            return reference;
        } catch (HeapException e) {
            client.account().failures().count(e.errno());
            record.end(
                    client.bundle(),
                    e.heap(),
                    request.name(),
                    request.size(),
                    e.attempts().size(),
                    e.errno().name());
            if (e.errno() == Errno.ENOMEM) {
                services.events().lowMemory(e.heap(), request.size(), e.getMessage());
            }
            throw e;
        }
    }

    /** The walk of one request over the routes of one moment. */
    private final class Walk extends Acquisition {
        private final CheckedRequest wanted;
        private final RoutingTable routes;
        private final RequestMatcher matcher;
        private final AttemptLog attempts;
        /** The heap that is called, once its gate is entered. */
        private RegisteredHeap heap;

        Walk(Client client, CheckedRequest wanted, RoutingTable routes) {
            super(client, ledger);
            this.wanted = wanted;
            this.routes = routes;
            matcher = new RequestMatcher(wanted.request(), routes);
            attempts = new AttemptLog(wanted.request(), routes, matcher);
        }

        BufferReference go() {
            AllocationRequest request = wanted.request();
            BufferReference reference;
            if (request.mask().isPresent()) {
                reference = byMask(request.mask().getAsLong());
            } else if (!request.heaps().isEmpty()) {
                reference = byName(request.heaps());
            } else {
                reference = inOrder();
            }
            if (reference == null) {
                throw attempts.all();
            }
            return reference;
        }

        private BufferReference byMask(long mask) {
            for (long places = routes.places(mask); places != 0; places &= places - 1) {
                BufferReference reference = ask(routes.first(places));
                if (reference != null) {
                    return reference;
                }
            }
            return null;
        }

        private BufferReference byName(List<String> names) {
            for (int i = 0; i < names.size(); i++) {
                RegisteredHeap named = routes.named(names.get(i));
                if (named == null) {
                    attempts.unknown(names.get(i));
                    continue;
                }
                BufferReference reference = ask(named);
                if (reference != null) {
                    return reference;
                }
            }
            return null;
        }

        private BufferReference inOrder() {
            for (int turn = 0; turn < routes.size(); turn++) {
                BufferReference reference = ask(routes.inOrder(turn));
                if (reference != null) {
                    return reference;
                }
            }
            return null;
        }

        /** Asks one heap. {@return a reference, or null when the next heap may be asked} */
        private BufferReference ask(RegisteredHeap asked) {
            if (!matcher.metBy(asked)) {
                attempts.unsuitable(asked);
                return null;
            }
            int ticket = asked.gate().enter();
            if (ticket == CallGate.REFUSED) {
                attempts.absent(asked, RoutingTable.LEAVING);
                return null;
            }
            heap = asked;
            SharedBuffer buffer;
            try {
                RegisteredHeap now = current(asked);
                if (now == null) {
                    return null;
                }
                heap = now;
                boolean restricted = heap.description().restricted();
                ledger.rules().requireAllowed(heap.name(), restricted, client.bundle(), client.location());
                buffer = acquire(heap.account(), services.moment(heap.account()));
            } catch (HeapException e) {
                attempts.refused(heap, e);
                heap.account().failed(e.errno());
                if (!endsAnywhere && (e.errno() == Errno.ENOMEM || e.errno() == Errno.ENODEV)) {
                    return null;
                }
                throw attempts.end();
            } catch (OutOfMemoryError e) { // of the client as much as of the heap
                throw e;
            } catch (Throwable e) {
                if (asked.gate().closed()) { // its classes may be gone
                    logFailure(true, e);
                    attempts.refused(heap, left(e));
                    heap.account().failed(Errno.ENODEV);
                    return null;
                }
                logFailure(false, e);
                attempts.broken(heap, e);
                heap.account().failed(Errno.EIO);
                throw attempts.end();
            } finally {
                asked.gate().leave(ticket);
            }
            return BufferReference.open(client, buffer);
        }

        /**
         * Returns the heap as it is now that its gate is entered. It may have taken another name since the routes were
         * read, and its buffers count under the name by which it is listed. Its account cannot go while a thread is
         * inside. The request is matched with the properties that it announces now, its name and id among them: other
         * heaps may have been asked for a long time before.
         */
        private RegisteredHeap current(RegisteredHeap asked) {
            RoutingTable latest = registry.routes();
            if (latest == routes) {
                return asked;
            }
            HeapStanding standing = latest.at(asked.gate());
            if (standing == null || standing.state() != HeapState.SERVING) {
                attempts.absent(asked, standing == null ? RoutingTable.LEAVING : standing.reason());
                return null;
            }
            RegisteredHeap now = standing.heap();
            if (!isAskedFor(now, asked)) {
                attempts.absent(asked, "it has taken another name or heap.id since the request began");
                return null;
            }
            RequestMatcher then = new RequestMatcher(wanted.request(), latest);
            if (!then.metBy(now)) {
                attempts.absent(now, then.unmetBy(now));
                return null;
            }
            return now;
        }

        private boolean isAskedFor(RegisteredHeap now, RegisteredHeap asked) {
            AllocationRequest request = wanted.request();
            if (request.mask().isPresent()) {
                OptionalInt id = now.description().id();
                return id.isPresent() && (request.mask().getAsLong() >>> id.getAsInt() & 1) != 0;
            }
            return request.heaps().isEmpty() || now.name().equals(asked.name());
        }

        /**
         * Waits for all heaps of the client where its own quota is full: memory that counts against it may be on its
         * way back to any of them.
         */
        @Override
        boolean hasComeBack(long since) {
            boolean again = true; // the quota is looked at first, and the heap is not asked when it is still full
            if (endsAnywhere) {
                services.hasComeBack(client.account(), 0);
            } else {
                again = services.hasComeBack(heap.account(), since);
            }
            if (!again || heap.gate().closed()) { // the thread that waited for those inside may have gone on
                return false;
            }
            endsAnywhere = false;
            return true;
        }

        @Override
        SharedBuffer charged(Charge charge) {
            require(charge.reserve(wanted.size()), charge, wanted.size());
            if (heap.gate().closed()) { // the heap's bundle may have waited long enough, and be gone
                throw new HeapException(Errno.ENODEV, heap.name(), RoutingTable.LEAVING);
            }
            return accepted(heap.exporter().allocate(wanted), charge);
        }

        private SharedBuffer accepted(HeapBuffer memory, Charge charge) {
            if (memory == null) {
                throw broken("returned no buffer");
            }
            boolean accepted = false;
            try {
                long size = memory.size();
                if (size < wanted.size() || size > CheckedRequest.LARGEST) {
                    throw broken("returned a buffer of " + size + " bytes for one of " + wanted.size());
                }
                SharedBuffer buffer = new SharedBuffer(
                        memory,
                        size,
                        wanted.alignment(),
                        heap.description(),
                        charge,
                        wanted.exportable(),
                        wanted.name(),
                        services);
                require(charge.begin(buffer), charge, size); // it may be larger than what was reserved
                accepted = true;
                return buffer;
            } finally {
                if (!accepted) {
                    UnwantedBuffer.giveBack(heap, memory);
                }
            }
        }

        /**
         * Logs a throwable of the heap's code. It may be of the vendor's own class, and fail when the log asks it for
         * its text.
         */
        private void logFailure(boolean left, Throwable failure) {
            try {
                if (left) {
                    LOG.warn("{} left while it was asked, and failed for that in allocate", heap, failure);
                } else {
                    LOG.error("{} failed in allocate; report that to its vendor", heap, failure);
                }
            } catch (Throwable e) {
                // The client's exception reports it all the same.
            }
        }

        private HeapException left(Throwable failure) {
            return new HeapException(
                    Errno.ENODEV,
                    heap.name(),
                    "it left while it was asked, and failed with " + ThrownText.text(failure),
                    failure);
        }

        private HeapException broken(String how) {
            LOG.error("{} {}; report that to its vendor", heap, how);
            return new HeapException(Errno.EIO, heap.name(), heap + " " + how + "; report that to its vendor");
        }
    }
}
