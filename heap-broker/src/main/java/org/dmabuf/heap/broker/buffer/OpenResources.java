// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.broker.release.Reaper;

/**
 * Set of resources that a client has open, in no order. Each thread links its resources into one of a few rings.
 * Adding and removing change two neighbours under the lock of one ring, which other threads seldom need.
 */
final class OpenResources {
    /** The number of rings, a power of two. It is large enough that the threads of a gateway seldom contend. */
    private static final int RINGS = 8;

    /** The head of a ring, which is also its lock. */
    private static final class Head extends OpenResource {
        Head() {
            previous = this;
            next = this;
        }

        @Override
        public void end() {
            throw new IllegalStateException("the head of a ring has no end");
        }

        @Override
        public Reaper reclaim() {
            throw new IllegalStateException("the head of a ring has no end");
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

    /** Removes any resource. {@return the resource, or null if the set is empty} */
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
