// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.ReturnSignal;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.SharedBuffer;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.CallGate;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.HeapStanding;
import org.dmabuf.heap.broker.heap.HeapTrims;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.broker.heap.RoutingTable;
import org.dmabuf.heap.broker.heap.ThrownText;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Allocator of the broker. It asks one heap after another until a heap returns the buffers or all heaps have
 * refused. Any thread may call it.
 */
public final class Allocator {
    private static final Logger LOG = LoggerFactory.getLogger(Allocator.class);

    /** The largest size that is accepted from a heap. Larger sizes come from a faulty heap and could overflow sums. */
    private static final long LARGEST = Long.MAX_VALUE - 4096;

    /** Stands for a request for one buffer. The buffer is returned, and the array is never written. */
    private static final BufferReference[] ONE = new BufferReference[1];

    private static final SharedBuffer[] NONE = {};

    /** The time of an allocation that is not in the sample. */
    private static final long UNTIMED = -1;

    private final HeapTrims trims = new HeapTrims();
    private final HeapRegistry registry;
    private final Ledger ledger;
    private final BufferServices services;
    /** The heaps that have not started. Refusals list them. */
    private final AbsentHeaps absent;

    public Allocator(HeapRegistry registry, Ledger ledger, BufferServices services, AbsentHeaps absent) {
        this.absent = absent;
        this.registry = registry;
        this.ledger = ledger;
        this.services = services;
    }

    /**
     * Allocates one buffer for a client.
     *
     * @param client the client that gets the reference
     * @param request the request
     * @return the client's reference
     * @throws HeapException when no heap returned a buffer
     */
    public BufferReference allocate(Client client, AllocationRequest request) {
        return allocate(client, request, ONE);
    }

    /**
     * Allocates several buffers for a client, all from one heap or none.
     *
     * @param client the client that gets the references
     * @param request the request
     * @param count the number of buffers
     * @return the client's references
     * @throws HeapException when no heap returned the buffers
     */
    public BufferReference[] allocate(Client client, AllocationRequest request, int count) {
        BufferReference[] all = new BufferReference[count];
        all[0] = allocate(client, request, all);
        return all;
    }

    /**
     * Checks the number of buffers of a call.
     *
     * @throws IllegalArgumentException for a number outside the limits
     */
    public static int requireCount(int count) {
        if (count < 1 || count > HeapBroker.MOST_AT_ONCE) {
            throw new IllegalArgumentException(
                    "invalid count = " + count + ": expected 1 to " + HeapBroker.MOST_AT_ONCE);
        }
        return count;
    }

    /**
     * Allocates one buffer from a plan for a client.
     *
     * @param client the client that gets the reference
     * @param plan the plan
     * @param request the request that the client made, whose name and timeout apply
     * @return the client's reference
     * @throws HeapException when no heap returned a buffer
     */
    BufferReference allocate(Client client, SharedPlan plan, AllocationRequest request) {
        return allocate(client, plan, request, ONE);
    }

    /** Allocates several buffers from a plan for a client, all from one heap or none. */
    BufferReference[] allocate(Client client, SharedPlan plan, AllocationRequest request, int count) {
        BufferReference[] all = new BufferReference[count];
        all[0] = allocate(client, plan, request, all);
        return all;
    }

    private BufferReference allocate(Client client, SharedPlan plan, AllocationRequest request, BufferReference[] all) {
        client.requireActive();
        RoutingTable routes = registry.routes();
        SolvedPlan solved;
        try {
            solved = plan.current(routes);
        } catch (HeapException e) {
            countRefusal(client, request, e);
            throw e;
        }
        return serve(new Walk(client, request, plan, solved, routes, all.length, true), all);
    }

    /** Counts and records a request for which no plan was possible. */
    void countRefusal(Client client, AllocationRequest request, HeapException refusal) {
        client.account().failures().count(refusal.errno());
        if (refusal.errno() != Errno.EINTR) {
            services.events()
                    .planRefused(
                            client.id(),
                            request.devices(),
                            request.size(),
                            refusal.errno().name(),
                            refusal.getMessage());
        }
    }

    /**
     * Allocates as many buffers as the array has elements. {@return the first reference; the others are stored in the
     * array}
     */
    private BufferReference allocate(Client client, AllocationRequest request, BufferReference[] all) {
        client.requireActive();
        return serve(new Walk(client, request, all.length, true), all);
    }

    private BufferReference serve(Walk walk, BufferReference[] all) {
        Client client = walk.client;
        AllocationRequest request = walk.request;
        BrokerEvents.Allocation record = services.events().allocating();
        String name = request.name().orElse("");
        try {
            Interruption.check();
            Walk served = walk.go() ? walk : goAgain(walk);
            BufferReference first = served.open(all);
            record.end(client.id(), first.heapName(), name, request.size(), served.attempts.count(), "");
            return first;
        } catch (HeapException e) {
            client.account().failures().count(e.errno());
            String heap = e.heap().orElse("");
            record.end(
                    client.id(),
                    heap,
                    name,
                    request.size(),
                    e.attempts().size(),
                    e.errno().name());
            if (e.errno() == Errno.ENOMEM) {
                services.events().lowMemory(heap, client.id(), request.size(), e.getMessage());
            }
            throw e;
        } finally {
            if (walk.waited > 0) {
                client.account().waits().add(walk.waited);
            }
        }
    }

    /**
     * Retries a request that failed with a shortage. Asks the heaps to release memory that they keep for speed, and
     * waits for memory of other holders as long as the request permits.
     *
     * @return the walk that obtained the buffers
     */
    private Walk goAgain(Walk first) {
        ReturnSignal returns = ledger.returns();
        Duration timeout = first.request.timeout();
        long began = System.nanoTime();
        long deadline = began + timeout.toNanos();
        Walk last = first;
        long seen = returns.begin();
        try {
            boolean again = first.wantsTrim() && trims.ask(first.routes, first.totalSize());
            while (again || System.nanoTime() - deadline < 0) {
                if (!again) {
                    returns.await(seen, deadline);
                    services.lookForHolders();
                }
                again = false;
                first.client.requireActive(); // otherwise the request could outlive its client and the broker
                Interruption.check();
                seen = returns.moment();
                last = first.another();
                if (last.go()) {
                    return last;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Interruption.failure();
        } finally {
            returns.end();
            if (!timeout.isZero()) {
                first.waited += System.nanoTime() - began;
            }
        }
        throw timeout.isZero() ? last.shortage : last.attempts.waited(last.shortage, timeout);
    }

    /** One pass of a request over the heaps, with the routes of one moment. */
    private final class Walk extends Acquisition {
        private final AllocationRequest request;
        /** The plan that the request follows; null for a request without demands. */
        private final SharedPlan plan;
        /** The solution of that plan; null for a request without demands. */
        private final SolvedPlan solved;

        private final int count;
        private final HeapRequest wanted;
        private final RoutingTable routes;
        private final RequestMatcher matcher;
        private final AttemptLog attempts;
        /** The buffers if several are requested; empty for a request of one buffer. */
        private final SharedBuffer[] several;
        /** The first buffer; null until all requested buffers exist. */
        private SharedBuffer first;
        /** The heap that is being called, set once its gate is entered. */
        private RegisteredHeap heap;
        /** Whether a heap had a shortage that no quota caused. */
        private boolean heapShort;
        /** The failure if the walk ended with a shortage. */
        private HeapException shortage;

        Walk(Client client, AllocationRequest request, int count, boolean patient) {
            this(client, request, null, null, registry.routes(), count, patient);
        }

        /** Begins a pass over the routes for which a plan was solved. */
        Walk(
                Client client,
                AllocationRequest request,
                SharedPlan plan,
                SolvedPlan solved,
                RoutingTable routes,
                int count,
                boolean patient) {
            super(client, ledger, patient);
            this.request = solved == null ? request : solved.shape(request);
            this.plan = plan;
            this.solved = solved;
            this.routes = routes;
            this.count = count;
            several = count == 1 ? NONE : new SharedBuffer[count];
            wanted = HeapRequest.of(this.request, client.requested());
            matcher = new RequestMatcher(this.request, routes);
            attempts = new AttemptLog(this.request, routes, matcher, absent);
        }

        /** {@return another pass of the same request, with the heaps of this moment} */
        Walk another() {
            if (plan == null) {
                return new Walk(client, request, count, false);
            }
            RoutingTable now = registry.routes();
            return new Walk(client, request, plan, plan.current(now), now, count, false);
        }

        /** {@return whether memory that heaps keep for speed could help} */
        boolean wantsTrim() {
            return heapShort && !endsAnywhere;
        }

        /** {@return bytes of all buffers together, at most {@link Long#MAX_VALUE}} */
        long totalSize() {
            return request.size() > Long.MAX_VALUE / count ? Long.MAX_VALUE : request.size() * count;
        }

        /**
         * Asks the heaps.
         *
         * @return whether a heap returned the buffers, which the caller must open; false on a shortage
         * @throws HeapException for any other refusal
         */
        boolean go() {
            try {
                if (request.mask().isPresent()) {
                    first = byMask(request.mask().getAsLong());
                } else if (!request.heaps().isEmpty()) {
                    first = byName(request.heaps());
                } else {
                    first = inOrder();
                }
                if (first == null) {
                    throw attempts.all();
                }
                return true;
            } catch (HeapException e) {
                if (e.errno() != Errno.ENOMEM) {
                    throw e;
                }
                shortage = e;
                return false;
            }
        }

        /** Opens the buffers for the client. {@return the first reference; the others are stored in the array} */
        BufferReference open(BufferReference[] all) {
            return count == 1 ? BufferReference.open(client, first) : BufferReference.openAll(client, several, all);
        }

        private SharedBuffer byMask(long mask) {
            for (long places = routes.places(mask); places != 0; places &= places - 1) {
                SharedBuffer buffer = ask(routes.first(places));
                if (buffer != null) {
                    return buffer;
                }
            }
            return null;
        }

        private SharedBuffer byName(List<String> names) {
            for (int i = 0; i < names.size(); i++) {
                RegisteredHeap named = routes.named(names.get(i));
                if (named == null) {
                    attempts.unknown(names.get(i));
                    continue;
                }
                SharedBuffer buffer = ask(named);
                if (buffer != null) {
                    return buffer;
                }
            }
            return null;
        }

        private SharedBuffer inOrder() {
            for (int turn = matcher.nextMet(0); turn < routes.size(); turn = matcher.nextMet(turn + 1)) {
                attempts.reached(turn);
                SharedBuffer buffer = askMatching(routes.inOrder(turn));
                if (buffer != null) {
                    return buffer;
                }
            }
            attempts.reached(routes.size());
            return null;
        }

        /** Asks one heap. {@return the first of the buffers, or null when the next heap can be asked} */
        private SharedBuffer ask(RegisteredHeap asked) {
            if (!matcher.metBy(asked)) {
                attempts.unsuitable(asked);
                return null;
            }
            return askMatching(asked);
        }

        private SharedBuffer askMatching(RegisteredHeap asked) {
            int ticket = asked.gate().enter();
            if (ticket == CallGate.REFUSED) {
                attempts.absent(asked, RoutingTable.LEAVING);
                return null;
            }
            heap = asked;
            long waitedBefore = waited;
            boolean complete = false;
            try {
                RegisteredHeap now = current(asked);
                if (now == null) {
                    return null;
                }
                heap = now;
                boolean restricted = heap.description().restricted();
                ledger.rules().requireAllowed(heap.name(), restricted, client.id());
                SharedBuffer made = acquire();
                for (int i = 0; i < several.length; i++) {
                    several[i] = i == 0 ? made : acquire();
                }
                complete = true;
                return made;
            } catch (HeapException e) {
                attempts.refused(heap, e);
                heap.account().failed(e.errno());
                heapShort |= e.errno() == Errno.ENOMEM && !overQuota;
                if (!endsAnywhere && (e.errno() == Errno.ENOMEM || e.errno() == Errno.ENODEV)) {
                    Interruption.check(); // an interrupt may have caused the refusal, and it ends the request
                    return null;
                }
                throw attempts.end();
            } catch (OutOfMemoryError e) { // a shortage of Java memory concerns the client as much as the heap
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
                if (!complete) {
                    BufferReference.dropAll(several);
                }
                if (waited > waitedBefore) {
                    heap.account().waits().add(waited - waitedBefore);
                }
            }
        }

        private SharedBuffer acquire() {
            HeapAccount account = heap.account();
            return acquire(account, services.moment(account));
        }

        /**
         * Returns the current state of a heap whose gate is entered. The heap may have changed its name since the
         * routes were read, and its buffers are charged under the name by which it is listed. Its account stays while a
         * thread is inside. The request is matched with the current properties, including name and id, because the
         * calls of other heaps may have taken a long time.
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
                attempts.absent(asked, "it has changed its name or heap.id since the request began");
                return null;
            }
            RequestMatcher then = new RequestMatcher(request, latest);
            if (!then.metBy(now)) {
                attempts.absent(now, then.unmetBy(now));
                return null;
            }
            if (solved != null && !solved.demands().metBy(now.description().facts())) {
                attempts.absent(now, "it has changed since the plan, and no longer meets all demands");
                return null;
            }
            return now;
        }

        private boolean isAskedFor(RegisteredHeap now, RegisteredHeap asked) {
            if (request.mask().isPresent()) {
                OptionalInt id = now.description().id();
                return id.isPresent() && (request.mask().getAsLong() >>> id.getAsInt() & 1) != 0;
            }
            return request.heaps().isEmpty() || now.name().equals(asked.name());
        }

        /**
         * Waits for pending releases: of this heap, or, if the client's quota on all heaps is full, of all heaps of the
         * client. Each of them counts against that quota.
         */
        @Override
        boolean hasComeBack(long since) {
            boolean again = true; // a retry checks the quota first, and does not call the heap while it is full
            if (endsAnywhere) {
                services.hasComeBack(client.account(), 0);
            } else {
                again = services.hasComeBack(heap.account(), since);
            }
            if (!again || heap.gate().closed()) { // the thread that waited for calls inside may have stopped waiting
                return false;
            }
            endsAnywhere = false;
            return true;
        }

        @Override
        SharedBuffer charged(Charge charge) {
            require(charge.reserve(wanted.size()), charge, wanted.size());
            if (heap.gate().closed()) { // the drain may have timed out, and the heap's bundle may be gone
                throw HeapException.of(Errno.ENODEV, heap.name(), RoutingTable.LEAVING);
            }
            if (!ledger.isTimed(charge)) {
                return accepted(heap.exporter().allocate(wanted), charge, UNTIMED);
            }
            long began = System.nanoTime();
            HeapBuffer memory = heap.exporter().allocate(wanted);
            return accepted(memory, charge, System.nanoTime() - began);
        }

        /** @param nanos the time that the heap took, or {@link #UNTIMED} */
        private SharedBuffer accepted(HeapBuffer memory, Charge charge, long nanos) {
            if (memory == null) {
                throw broken("returned no buffer");
            }
            boolean accepted = false;
            try {
                long size = memory.size();
                if (size < wanted.size() || size > LARGEST) {
                    throw broken("returned a buffer of " + size + " bytes instead of " + wanted.size());
                }
                SharedBuffer buffer = new SharedBuffer(
                        memory,
                        size,
                        wanted.alignment(),
                        heap.description(),
                        charge,
                        wanted.export(),
                        wanted.name(),
                        services);
                Interruption.check(); // the heap's code may have ignored the interrupt
                if (nanos != UNTIMED) {
                    charge.share().timed(nanos);
                }
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
         * Logs a throwable of the heap's code. Its class may be the vendor's own, and its methods may fail when the log
         * calls them.
         */
        private void logFailure(boolean left, Throwable failure) {
            try {
                if (left) {
                    LOG.warn("{} left during a call of allocate, which failed", heap, failure);
                } else {
                    LOG.error("{} failed in allocate; report that to its vendor", heap, failure);
                }
            } catch (Throwable e) {
                // The client's exception reports the failure.
            }
        }

        private HeapException left(Throwable failure) {
            return HeapException.of(
                    Errno.ENODEV,
                    heap.name(),
                    "it left during the allocation, which failed with " + ThrownText.text(failure),
                    failure);
        }

        private HeapException broken(String how) {
            LOG.error("{} {}; report that to its vendor", heap, how);
            return HeapException.of(Errno.EIO, heap.name(), "it " + how + "; report that to its vendor");
        }
    }
}
