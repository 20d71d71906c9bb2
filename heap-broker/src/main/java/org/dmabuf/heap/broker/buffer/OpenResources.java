// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.broker.release.Reaper;

/**
 * The set of resources that a client has open, in no order. Each thread links its resources into one of a few rings.
 * Adding and removing touch two neighbours under a lock that other threads seldom want, and need neither a table nor a
 * hash.
 */
final class OpenResources {
    /** A power of two: rings enough for the threads of a gateway to keep out of each other's way. */
    private static final int RINGS = 8;

    /** The head of a ring, which is also its lock. */
    private static final class Head extends OpenResource {
        Head() {
            previous = this;
            next = this;
        }

        @Override
        public void end() {
            throw new IllegalStateException("it belongs to no client");
        }

        @Override
        public Reaper reclaim() {
            throw new IllegalStateException("it belongs to no client");
        }
    }

    private final Head[] rings = new Head[RINGS];

    OpenResources() {
        for (int i = 0; i < RINGS; i++) {
            rings[i] = new Head();
        }
    }

    /** Adds a resource that is in no ring. */
    void add(OpenResource resource) {
        Head head = ring(resource);
        synchronized (head) {
            resource.next = head;
            resource.previous = head.previous;
            head.previous.next = resource;
            head.previous = resource;
        }
    }

    /** Removes a resource. Removing it twice does nothing. */
    void remove(OpenResource resource) {
        synchronized (ring(resource)) {
            unlink(resource);
        }
    }

    /** {@return any resource, which is removed, or null when there is none} */
    OpenResource poll() {
        for (Head head : rings) {
            synchronized (head) {
                OpenResource first = head.next;
                if (first != head) {
                    unlink(first);
                    return first;
                }
            }
        }
        return null;
    }

    private Head ring(OpenResource resource) {
        return rings[resource.stripe & RINGS - 1];
    }

    private static void unlink(OpenResource resource) {
        if (resource.next != null) {
            resource.next.previous = resource.previous;
            resource.previous.next = resource.next;
            resource.next = null;
            resource.previous = null;
        }
    }
}
