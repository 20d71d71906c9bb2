// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.text.Printable;

/** One using bundle: what it has open, until it stops. */
public final class Client {
    private final ClientAccount account;
    private final String location;
    private final LeakDetector leaks;
    private final OpenResources resources = new OpenResources();
    /** Why, once it has; null until then. */
    private volatile String stopped;

    /**
     * A client that holds nothing.
     *
     * @param account of all bundles of its symbolic name
     * @param location where it was installed from
     * @param leaks finds what it loses
     */
    public Client(ClientAccount account, String location, LeakDetector leaks) {
        this.account = account;
        this.location = location;
        this.leaks = leaks;
    }

    /** {@return symbolic name} */
    public String bundle() {
        return account.bundle();
    }

    public String location() {
        return location;
    }

    public ClientAccount account() {
        return account;
    }

    LeakDetector leaks() {
        return leaks;
    }

    /** Throws {@link IllegalStateException} when the bundle, or the broker, has stopped. */
    public void requireActive() {
        if (stopped != null) {
            throw over();
        }
    }

    /**
     * Registers something that the client opened. When the bundle stops meanwhile it is ended at once.
     *
     * @return the holding
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
        throw over();
    }

    public void forget(OpenResource resource) {
        resources.remove(resource);
    }

    /**
     * Ends everything that the client left open, and waits until the heaps have it back, but no longer than one
     * patience in all.
     *
     * @param why for the exception of a later call
     * @return how many things that were
     */
    public int stop(String why) {
        Set<Reaper> used = new HashSet<>();
        int left = takeBack(why, used);
        Reaper.settle(used);
        return left;
    }

    /**
     * Ends everything that the client left open, and has the heaps' reapers do what calls the heaps' code. Waits for
     * nothing. What cannot be ended, for want of memory, stays the client's and is taken back by the next call.
     *
     * @param why for the exception of a later call
     * @param used is given the reapers that have work to do for it
     * @return how many things were ended
     */
    public int takeBack(String why, Set<Reaper> used) {
        StackProbe.require(); // what was polled and could not be noted would be lost
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
                failed.add(resource); // and one that was ended may be ended again
            }
        }
        failed.forEach(resources::add);
        if (failure != null) {
            throw new IllegalStateException(
                    "not everything of bundle " + Printable.of(bundle()) + " could be taken back", failure);
        }
        return left;
    }

    private IllegalStateException over() {
        return new IllegalStateException(
                stopped + ": buffers were taken back; get the service HeapBroker again");
    }
}
