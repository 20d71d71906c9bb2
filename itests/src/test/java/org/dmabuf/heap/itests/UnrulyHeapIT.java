// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.inject.Inject;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.itests.unruly.UnrulyHeap;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.ContractCase;
import org.dmabuf.heap.tck.HeapContract;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;

/**
 * Tests of a vendor's heap that breaks its contract: the client gets an exception, the log names the heap, and no
 * resource is lost.
 */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class UnrulyHeapIT {
    private static final String HEAP = UnrulyHeap.NAME;

    @Inject
    private BundleContext context;

    private Framework framework;
    private HeapBroker broker;
    private ProcessState before;
    private Bundle bundle;
    private Unruly heap;
    private CapturedLog log;

    @Configuration
    public Option[] container() {
        return new Option[] {
            Gateway.options(), bundle(Gateway.dropIn("heap-tck").toUri().toString())
        };
    }

    @Before
    public void start_the_heap() throws Exception {
        framework = new Framework(context);
        broker = framework.broker();
        framework.openWhatIsOpenedOnce();
        before = ProcessState.now();
        bundle = framework.start(TestBundle.unrulyHeap());
        heap = new Unruly(context);
        log = new CapturedLog();
    }

    @After
    public void nothing_is_left() throws Exception {
        log.close();
        Framework.await(0L, () -> framework.charged(HEAP));
        if (bundle.getState() == Bundle.ACTIVE) {
            broker.allocate(Unruly.request()).close(); // the broker asks the heap again despite its faults
        }
        if (bundle.getState() != Bundle.UNINSTALLED) {
            bundle.uninstall();
        }
        Framework.await(
                List.of("system"),
                () -> framework.heaps().stream().map(h -> h.name()).toList());
        assertEquals(0, heap.unreleased());
        assertEquals(0, heap.late());
        before.assertNothingLeft();
    }

    @Test
    public void an_exception_of_the_heap_ends_the_request_as_the_heaps_own_failure() {
        failsInAllocate(UnrulyHeap.THROW, "IllegalArgumentException: the vendor's own trouble");
        failsInAllocate(UnrulyHeap.LACK_A_CLASS, "NoClassDefFoundError: com/vendor/Missing");
        failsInAllocate(UnrulyHeap.FAIL_IN_SIZE, "IllegalStateException: the vendor's own trouble");
    }

    private void failsInAllocate(long fault, String trouble) {
        HeapException failure = refused(fault);
        assertTrue(failure.getMessage(), failure.getMessage().contains(trouble));
        assertEquals(log.lines(HEAP).toString(), 1, logged("heap 'unruly' failed in allocate", trouble));
    }

    @Test
    public void a_missing_buffer_and_too_small_a_buffer_are_rejected() throws Exception {
        assertTrue(refused(UnrulyHeap.NOTHING).getMessage().contains("heap 'unruly': it returned no buffer"));
        assertEquals(1, log.lines("heap 'unruly' returned no buffer").size());

        String tooLittle = "returned a buffer of 4096 bytes instead of 8192";
        assertTrue(refused(UnrulyHeap.TOO_LITTLE).getMessage().contains("heap 'unruly': it " + tooLittle));
        assertEquals(1, log.lines("heap 'unruly' " + tooLittle).size());
        Framework.await(0L, () -> heap.unreleased()); // it got its buffer back
    }

    @Test
    public void after_a_failure_no_other_heap_is_asked() {
        HeapException failure = assertThrows(
                HeapException.class,
                () -> broker.allocate(AllocationRequest.of(8192)
                        .withHeaps(HEAP, "system")
                        .withName(UnrulyHeap.name(UnrulyHeap.NOTHING))));
        assertEquals(Errno.EIO, failure.errno());
        assertEquals(1, failure.attempts().size());
    }

    @Test
    public void a_release_that_fails_is_logged_and_the_charge_goes() {
        DmaBuf buffer = broker.allocate(Unruly.request(UnrulyHeap.FAIL_IN_RELEASE));
        assertEquals(1, framework.charged(HEAP));
        buffer.close();
        assertEquals(0, framework.charged(HEAP));
        assertEquals(
                1, logged("buffer 'fault 10' of 8 KiB from heap 'unruly': release failed", "vendor's own trouble"));
    }

    @Test
    public void a_release_that_fails_in_a_bundle_that_was_uninstalled_is_logged_too() throws Exception {
        DmaBuf buffer = broker.allocate(Unruly.request(UnrulyHeap.FAIL_IN_RELEASE));
        bundle.uninstall();
        buffer.close();
        assertEquals(0, framework.charged(HEAP));
        assertEquals(1, log.lines("from heap 'unruly': release failed").size());
    }

    @Test
    public void a_mapping_that_is_too_small_is_undone() {
        try (DmaBuf buffer = broker.allocate(Unruly.request(UnrulyHeap.MAP_TOO_LITTLE));
                Arena arena = Arena.ofConfined()) {
            HeapException failure = assertThrows(HeapException.class, () -> buffer.map(Access.READ, arena));
            assertEquals(Errno.EIO, failure.errno());
            assertTrue(failure.getMessage(), failure.getMessage().contains("the heap mapped 4096 bytes of it"));
        }
        assertEquals("the mapping holds it no longer", 0, framework.charged(HEAP));
    }

    @Test
    public void an_unmap_that_fails_is_logged_and_the_memory_released() throws Exception {
        DmaBuf buffer = broker.allocate(Unruly.request(UnrulyHeap.FAIL_IN_UNMAP));
        try (Arena arena = Arena.ofConfined()) {
            buffer.map(Access.READ, arena);
            buffer.close();
            assertEquals(1, framework.charged(HEAP));
        }
        Framework.await(0L, () -> framework.charged(HEAP));
        assertEquals(1, log.lines("from heap 'unruly': unmap failed").size());
    }

    @Test
    public void a_cpu_access_whose_end_fails_holds_the_buffer_no_longer() {
        DmaBuf buffer = broker.allocate(Unruly.request(UnrulyHeap.FAIL_IN_END));
        CpuAccess access = buffer.beginCpuAccess(Access.READ);
        buffer.close();
        assertEquals(1, framework.charged(HEAP));
        HeapException failure = assertThrows(HeapException.class, access::close);
        assertEquals(Errno.EIO, failure.errno());
        assertEquals(Optional.of(HEAP), failure.heap());
        assertTrue(failure.getMessage(), failure.getMessage().contains("the vendor's own trouble"));
        access.close();
        assertEquals(0, framework.charged(HEAP));
    }

    @Test
    public void a_heap_may_stop_itself_within_its_own_allocate() {
        try (DmaBuf last = broker.allocate(Unruly.request(UnrulyHeap.STOP_ITSELF))) {
            leftWithin(last);
            assertEquals(Bundle.RESOLVED, bundle.getState());
        }
    }

    @Test
    public void a_heap_may_uninstall_itself_within_its_own_allocate() {
        try (DmaBuf last = broker.allocate(Unruly.request(UnrulyHeap.UNINSTALL_ITSELF))) {
            leftWithin(last);
            assertEquals(Bundle.UNINSTALLED, bundle.getState());
        }
    }

    /** The drain does not wait for its own thread. */
    private void leftWithin(DmaBuf last) {
        assertEquals(List.of(), log.lines("with calls still inside"));
        assertEquals(1, framework.heap(HEAP, HeapState.DEPARTED).charged().liveBuffers());
        FirstByte.write(last, 1);
        assertEquals(1, FirstByte.read(last));
        HeapException failure = assertThrows(HeapException.class, () -> broker.allocate(Unruly.request()));
        assertEquals(Errno.ENODEV, failure.errno());
    }

    @Test
    public void a_call_that_blocks_past_the_drain_delays_no_other_and_gets_its_buffer_at_last() throws Exception {
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            Future<DmaBuf> call = thread.submit(() -> broker.allocate(Unruly.request(UnrulyHeap.WAIT)));
            heap.awaitCallInside();
            bundle.stop();
            assertFalse(call.isDone());
            assertEquals(
                    1,
                    log.lines("heap 'unruly' left while calls were inside it: 1")
                            .size());
            assertEquals("the heap is notified, too", 1, heap.takeLate());
            assertEquals(List.of("system"), framework.names(HeapState.SERVING));
            HeapException failure = assertThrows(HeapException.class, () -> broker.allocate(Unruly.request()));
            assertEquals(Errno.ENODEV, failure.errno());
            assertEquals(Optional.of(HEAP), failure.heap());

            heap.letGoOn();
            try (DmaBuf buffer = call.get(60, TimeUnit.SECONDS)) {
                assertEquals(
                        1, framework.heap(HEAP, HeapState.DEPARTED).charged().liveBuffers());
                FirstByte.write(buffer, 2);
                assertEquals(2, FirstByte.read(buffer));
            }
        }
        bundle.start();
        heap = new Unruly(context);
    }

    @Test
    public void when_a_call_fails_because_its_bundle_was_uninstalled_the_next_heap_is_asked() throws Exception {
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            Future<DmaBuf> call = thread.submit(() -> broker.allocate(AllocationRequest.of(8192)
                    .withHeaps(HEAP, "system")
                    .withName(UnrulyHeap.name(UnrulyHeap.WAIT_THEN_LOAD))));
            heap.awaitCallInside();
            bundle.uninstall();
            assertEquals(1, heap.takeLate());
            heap.letGoOn();
            try (DmaBuf buffer = call.get(60, TimeUnit.SECONDS)) {
                assertEquals("system", buffer.heapName());
            }
            assertEquals(
                    1, log.lines("heap 'unruly' left during a call of allocate").size());
        }
    }

    /**
     * The broker does not check this, because it would have to read all memory of each buffer. The contract, which a
     * vendor runs, checks it.
     */
    @Test
    public void dirty_memory_is_found_by_the_contract() {
        MemfdSource source = MemfdSource.open("dirty");
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, "dirty");
        ServiceRegistration<HeapExporter> registration = context.registerService(
                HeapExporter.class,
                request -> {
                    HeapBuffer buffer = source.allocate(request);
                    MemorySegment mapping = buffer.map(Access.READ_WRITE);
                    mapping.fill((byte) 0xa5);
                    buffer.unmap(mapping);
                    return buffer;
                },
                FrameworkUtil.asDictionary(properties));
        ServiceReference<HeapExporter> service = registration.getReference();
        ContractCase zeroed =
                HeapContract.of(context.getService(service), FrameworkUtil.asMap(service.getProperties()))
                        .cases()
                        .stream()
                        .filter(one -> one.name().equals("a_new_buffer_of_65536_bytes_is_all_zero"))
                        .findFirst()
                        .orElseThrow();
        AssertionError failure = assertThrows(AssertionError.class, zeroed::run);
        assertTrue(failure.getMessage(), failure.getMessage().contains("byte 0 of 65536 is 0xa5 and not 0x00"));
        registration.unregister();
    }

    private HeapException refused(long fault) {
        HeapException failure = assertThrows(HeapException.class, () -> broker.allocate(Unruly.request(fault)));
        assertEquals(Errno.EIO, failure.errno());
        assertEquals(Optional.of(HEAP), failure.heap());
        assertEquals(0, framework.charged(HEAP));
        return failure;
    }

    /** Returns how often both texts were logged, the second in the stack trace of the first. */
    private long logged(String message, String trouble) {
        return Math.min(log.lines(message).size(), log.lines(trouble).size());
    }
}
