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

/** Client of the broker, with all resources that it has open. */
public final class Client {
    private final ClientAccount account;
    private final String origin;
    private final LeakDetector leaks;
    private final Optional<ClientId> requested;
    private final OpenResources resources = new OpenResources();
    /** The reason why the client has stopped; null until then. */
    private volatile String stopped;

    /**
     * Creates a client without open resources.
     *
     * @param account the client's account
     * @param leaks the detector of references that it loses
     */
    public Client(ClientAccount account, LeakDetector leaks) {
        this(account, "", leaks);
    }

    /**
     * Creates a client outside the framework.
     *
     * @param account the client's account
     * @param origin its process and where it runs; empty if unknown
     * @param leaks the detector of references that it loses
     */
    public Client(ClientAccount account, String origin, LeakDetector leaks) {
        this.account = account;
        this.origin = origin;
        requested = Optional.of(account.id());
        this.leaks = leaks;
    }

    public ClientId id() {
        return account.id();
    }

    /** {@return the client's process and where it runs; empty if unknown} */
    public String origin() {
        return origin;
    }

    /** {@return the identity of the client as a request to a heap carries it} */
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
     * Registers a resource that the client opened. If the bundle has stopped meanwhile, the resource is ended at once.
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
     * Ends all open resources of the client, and waits until the heaps have released their memory, for {@link
     * Reaper#PATIENCE} in all at most.
     *
     * @param why the reason that the exception of a later call gives
     * @return the number of resources that were open
     */
    public int stop(String why) {
        Set<Reaper> used = new HashSet<>();
        int left = takeBack(why, used);
        Reaper.settle(used);
        return left;
    }

    /**
     * Ends all open resources of the client, and submits calls of the heaps' code to the heaps' reapers. Does not wait.
     * If ending a resource fails for lack of Java memory, it stays registered, and the next call ends it.
     *
     * @param why the reason that the exception of a later call gives
     * @param used receives the reapers to which work was submitted
     * @return the number of resources that were ended
     */
    public int takeBack(String why, Set<Reaper> used) {
        StackProbe.require(); // a polled resource that could not be recorded would be lost
        stopped = why;
        int left = 0;
        List<OpenResource> failed = new ArrayList<>();
        Throwable failure = null;
        for (OpenResource resource = resources.poll(); resource != null; resource = resources.poll()) {
            try {
                Reaper reaper = resource.reclaim();
                left++;
                if (reaper != null) {
                    used.add(reaper); // if this fails, the caller waits for fewer reapers
                }
            } catch (RuntimeException | Error e) {
                failure = e;
                failed.add(resource); // ending a resource again does no harm
            }
        }
        failed.forEach(resources::add);
        if (failure != null) {
            throw new IllegalStateException(
                    "failed to take back all resources of " + Printable.of(id().toString()), failure);
        }
        return left;
    }

    private IllegalStateException stoppedFailure() {
        return new IllegalStateException(
                stopped + ": its buffers were taken back; get the service HeapBroker again, or open the view again");
    }
}
