// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Collection;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.itests.unruly.UnrulyHeap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/** The test's access to one start of the unruly heap. It outlives the bundle. */
final class Unruly {
    private final Semaphore inside;
    private final Semaphore goOn;
    private final AtomicLong entered;
    private final AtomicLong late;
    private final AtomicLong unreleased;

    /** Finds the heap; its bundle must be active. */
    Unruly(BundleContext context) throws InvalidSyntaxException {
        inside = service(context, Semaphore.class, UnrulyHeap.INSIDE);
        goOn = service(context, Semaphore.class, UnrulyHeap.GO_ON);
        entered = service(context, AtomicLong.class, UnrulyHeap.ENTERED);
        late = service(context, AtomicLong.class, UnrulyHeap.LATE);
        unreleased = service(context, AtomicLong.class, UnrulyHeap.UNRELEASED);
    }

    private static <T> T service(BundleContext context, Class<T> type, String role) throws InvalidSyntaxException {
        Collection<ServiceReference<T>> found =
                context.getServiceReferences(type, "(" + UnrulyHeap.ROLE + "=" + role + ")");
        assertEquals("services '" + role + "'", 1, found.size());
        return context.getService(found.iterator().next());
    }

    /** {@return a request of two pages from it} */
    static AllocationRequest request() {
        return AllocationRequest.of(8192).withHeaps(UnrulyHeap.NAME);
    }

    /** {@return a request that makes it misbehave} */
    static AllocationRequest request(long fault) {
        return request().withName(UnrulyHeap.name(fault));
    }

    void awaitCallInside() throws InterruptedException {
        assertTrue("no call came", inside.tryAcquire(60, TimeUnit.SECONDS));
    }

    void letGoOn() {
        goOn.release();
    }

    /** {@return calls of allocate so far} */
    long entered() {
        return entered.get();
    }

    /** {@return the number of calls that were inside although the heap had drained} */
    long late() {
        return late.get();
    }

    /** {@return the result of {@link #late}, which is reset to 0} */
    long takeLate() {
        return late.getAndSet(0);
    }

    /** {@return the number of faulty buffers that were not released} */
    long unreleased() {
        return unreleased.get();
    }
}
