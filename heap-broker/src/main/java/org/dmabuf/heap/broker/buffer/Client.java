// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.text.Printable;

/** A client that uses the broker, with all resources that it has open until it stops. */
public final class Client {
    private final ClientAccount account;
    private final LeakDetector leaks;
    private final Optional<ClientId> requested;
    private final OpenResources resources = new OpenResources();
    /** The reason why it has stopped; null until then. */
    private volatile String stopped;

    /**
     * Creates a client that has nothing open.
     *
     * @param account the client's account
     * @param leaks finds references that it loses
     */
    public Client(ClientAccount account, LeakDetector leaks) {
        this.account = account;
        requested = Optional.of(account.id());
        this.leaks = leaks;
    }

    public ClientId id() {
        return account.id();
    }

    /** {@return the client as a heap's request names it} */
    public Optional<ClientId> requested() {
        return requested;
    }

    public ClientAccount account() {
        return account;
    }

    LeakDetector leaks() {
        return leaks;
    }

    /** Throws {@link IllegalStateException} when the client, or the broker, has stopped. */
    public void requireActive() {
        if (stopped != null) {
            throw stoppedFailure();
        }
    }

    /**
     * Registers a resource that the client opened. When the bundle has stopped meanwhile, the resource is ended at
     * once.
     *
     * @return the resource
     * @throws IllegalStateException when the bundle has stopped
     */
    public <H extends OpenResource> H keep(H resource) {
        if (stopped == null) {
            resources.add(resource);
            if (stopped == null) {
                return resource;
            }
        }
        resource.end();
        throw stoppedFailure();
    }

    public void forget(OpenResource resource) {
        resources.remove(resource);
    }

    /**
     * Ends everything that the client left open, and waits until the heaps have it back, for {@link Reaper#PATIENCE} in
     * all at most.
     *
     * @param why for the exception of a later call
     * @return the number of resources that were open
     */
    public int stop(String why) {
        Set<Reaper> used = new HashSet<>();
        int left = takeBack(why, used);
        Reaper.settle(used);
        return left;
    }

    /**
     * Ends everything that the client left open, and has the heaps' reapers do what calls the heaps' code. Waits for
     * nothing. A resource that cannot be ended for want of memory stays the client's, and the next call takes it back.
     *
     * @param why for the exception of a later call
     * @param used receives the reapers that have work to do for it
     * @return the number of resources that were ended
     */
    public int takeBack(String why, Set<Reaper> used) {
        StackProbe.require(); // a polled resource that could not be noted would be lost
        stopped = why;
        int left = 0;
        List<OpenResource> failed = new ArrayList<>();
        Throwable failure = null;
        for (OpenResource resource = resources.poll(); resource != null; resource = resources.poll()) {
            try {
                Reaper reaper = resource.reclaim();
                left++;
                if (reaper != null) {
                    used.add(reaper); // when this fails the caller waits for less
                }
            } catch (RuntimeException | Error e) {
                failure = e;
                failed.add(resource); // one that was ended may be ended again
            }
        }
        failed.forEach(resources::add);
        if (failure != null) {
            throw new IllegalStateException(
                    "not everything of " + Printable.of(id().toString()) + " could be taken back", failure);
        }
        return left;
    }

    private IllegalStateException stoppedFailure() {
        return new IllegalStateException(
                stopped + ": buffers were taken back; get the service HeapBroker, or open the view, again");
    }
}
