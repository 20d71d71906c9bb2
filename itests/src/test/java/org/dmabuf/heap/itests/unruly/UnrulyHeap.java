// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.unruly;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;

/**
 * A vendor's heap that misbehaves on request. The name of a buffer selects the fault, see {@link #name}. It runs as a
 * separate bundle with its own class loader. So a test reaches it through services whose types are Java's own; each has
 * the property {@link #ROLE}. With any other name it is a correct heap, whose buffers come from heap-linux.
 */
public final class UnrulyHeap implements BundleActivator, HeapExporter {
    /** The name of the heap. */
    public static final String NAME = "unruly";

    /** The property that distinguishes the services for the test. */
    public static final String ROLE = "unruly.role";
    /** A {@link Semaphore} that gets a permit from each call that begins to wait. */
    public static final String INSIDE = "inside";
    /** A {@link Semaphore} that lets one waiting call go on for each permit. */
    public static final String GO_ON = "go on";
    /** An {@link AtomicLong}: calls of allocate so far. */
    public static final String ENTERED = "entered";
    /** An {@link AtomicLong}: calls that were inside after a drain or entered later, which must not happen. */
    public static final String LATE = "late";
    /** An {@link AtomicLong}: faulty buffers that were not released. */
    public static final String UNRELEASED = "unreleased";

    /** Waits inside allocate for a permit of the test. */
    public static final long WAIT = 1;
    /** Spends a moment inside allocate. */
    public static final long LINGER = 2;
    /** Stops its own bundle inside allocate. */
    public static final long STOP_ITSELF = 3;
    /** Uninstalls its own bundle inside allocate. */
    public static final long UNINSTALL_ITSELF = 4;
    /** Throws an exception that is not a HeapException. */
    public static final long THROW = 5;
    /** Throws an error, as happens after an uninstall when a class must still be loaded. */
    public static final long LACK_A_CLASS = 6;
    /** Waits inside allocate for a permit of the test, then needs a class that it has not used before. */
    public static final long WAIT_THEN_LOAD = 14;
    /** Returns null. */
    public static final long NOTHING = 7;
    /** Returns a buffer that is a page smaller than requested. */
    public static final long TOO_LITTLE = 8;
    /** Returns a buffer whose size method fails. */
    public static final long FAIL_IN_SIZE = 9;
    /** Returns a buffer whose release fails after it has released the memory. */
    public static final long FAIL_IN_RELEASE = 10;
    /** Returns a buffer whose mappings lack the last page. */
    public static final long MAP_TOO_LITTLE = 11;
    /** Returns a buffer whose unmap fails after it has unmapped. */
    public static final long FAIL_IN_UNMAP = 12;
    /** Returns a buffer whose endCpuAccess fails. */
    public static final long FAIL_IN_END = 13;

    private static final String FAULT = "fault ";
    private static final long PATIENCE_SECONDS = 60;
    private static final long MOMENT_NANOS = 200_000;

    private final Semaphore inside = new Semaphore(0);
    private final Semaphore goOn = new Semaphore(0);
    private final AtomicLong entered = new AtomicLong();
    private final AtomicLong late = new AtomicLong();
    private final AtomicLong unreleased = new AtomicLong();
    private final AtomicLong present = new AtomicLong();
    private volatile boolean drained;
    private MemfdSource source;
    private BundleContext context;
    private ServiceRegistration<HeapExporter> registration;

    /** {@return the name of a buffer that selects this fault} */
    public static String name(long fault) {
        return FAULT + fault;
    }

    private static long fault(HeapRequest request) {
        String name = request.name().orElse("");
        return name.startsWith(FAULT) ? Long.parseLong(name.substring(FAULT.length())) : 0;
    }

    @Override
    public void start(BundleContext bundleContext) {
        context = bundleContext;
        source = MemfdSource.open(NAME);
        offer(Semaphore.class, inside, INSIDE);
        offer(Semaphore.class, goOn, GO_ON);
        offer(AtomicLong.class, entered, ENTERED);
        offer(AtomicLong.class, late, LATE);
        offer(AtomicLong.class, unreleased, UNRELEASED);
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, NAME);
        properties.put(HeapProperties.TYPE, NAME);
        registration = context.registerService(HeapExporter.class, this, FrameworkUtil.asDictionary(properties));
    }

    @Override
    public void stop(BundleContext bundleContext) {
        registration.unregister(); // returns when the drain has ended
        drained = true;
        late.addAndGet(present.get());
    }

    private <T> void offer(Class<T> type, T service, String role) {
        context.registerService(type, service, FrameworkUtil.asDictionary(Map.of(ROLE, role)));
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        present.incrementAndGet();
        try {
            if (drained) {
                late.incrementAndGet();
            }
            entered.incrementAndGet();
            return obey(request);
        } catch (BundleException e) {
            throw new IllegalStateException("cannot leave", e);
        } finally {
            present.decrementAndGet();
        }
    }

    private HeapBuffer obey(HeapRequest request) throws BundleException {
        long fault = fault(request);
        if (fault == WAIT) {
            waitForTest();
        } else if (fault == WAIT_THEN_LOAD) {
            waitForTest();
            return unruly(request, fault);
        } else if (fault == LINGER) {
            LockSupport.parkNanos(MOMENT_NANOS);
        } else if (fault == STOP_ITSELF || fault == UNINSTALL_ITSELF) {
            // Loads the classes that are needed later, because an uninstalled bundle cannot load new classes.
            HeapBuffer last = source.allocate(request);
            present.decrementAndGet(); // this call itself may be inside
            if (fault == STOP_ITSELF) {
                context.getBundle().stop();
            } else {
                context.getBundle().uninstall();
            }
            present.incrementAndGet();
            return last;
        } else if (fault == THROW) {
            throw new IllegalArgumentException("the vendor's own trouble");
        } else if (fault == LACK_A_CLASS) {
            throw new NoClassDefFoundError("com/vendor/Missing");
        } else if (fault == NOTHING) {
            return null;
        } else if (fault == TOO_LITTLE) {
            return unruly(request.withSize(request.size() - 4096), fault);
        } else if (fault >= FAIL_IN_SIZE) {
            return unruly(request, fault);
        }
        return source.allocate(request);
    }

    private void waitForTest() {
        inside.release();
        try {
            if (!goOn.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the test said nothing for " + PATIENCE_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException("interrupted", e);
        }
    }

    private HeapBuffer unruly(HeapRequest request, long fault) {
        HeapBuffer buffer = new UnrulyBuffer(source.allocate(request), fault, unreleased);
        unreleased.incrementAndGet();
        return buffer;
    }
}
