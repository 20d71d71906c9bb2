// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.inject.Inject;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.itests.unruly.UnrulyHeap;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.junit.runners.Parameterized.Parameters;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExamParameterized;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/** Tests of a heap bundle that leaves, for each way of leaving and each state of a buffer of the heap. */
@RunWith(PaxExamParameterized.class)
@ExamReactorStrategy(PerClass.class)
public class HeapDepartureIT {
    private static final String HEAP = UnrulyHeap.NAME;

    @Inject
    private BundleContext context;

    private final Departure departure;
    private final Standing standing;

    private Framework framework;
    private HeapBroker broker;
    private TestBundle content;
    private Bundle bundle;
    private Unruly heap;
    private ProcessState before;

    public HeapDepartureIT(String departure, String standing) { // strings, because parameters pass between processes
        this.departure = Departure.valueOf(departure);
        this.standing = Standing.valueOf(standing);
    }

    @Parameters(name = "{0} with a buffer {1}")
    public static List<Object[]> cells() {
        return Standing.cells();
    }

    @Configuration
    public static Option[] container() {
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
        content = TestBundle.unrulyHeap();
        bundle = framework.start(content);
        heap = new Unruly(context);
    }

    @After
    public void nothing_is_left() throws Exception {
        if (bundle.getState() != Bundle.UNINSTALLED) {
            bundle.uninstall();
        }
        Framework.await(
                List.of("system"),
                () -> framework.heaps().stream().map(h -> h.name()).toList());
        before.assertNothingLeft();
    }

    @Test
    public void a_buffer_stays_usable_when_its_heap_has_left() throws Exception {
        switch (standing) {
            case CALL_IN_FLIGHT -> the_call_gets_its_buffer();
            case OPEN -> an_open_buffer_works_on();
            case MAPPED -> a_mapping_works_on_and_stays_charged();
            case EXPORTED -> a_descriptor_works_on();
            case PUBLISHED -> a_publication_stays();
        }
        assertEquals("no thread is in the heap's code once it has drained", 0, heap.late());
    }

    private void the_call_gets_its_buffer() throws Exception {
        try (ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<DmaBuf> call = threads.submit(() -> broker.allocate(Unruly.request(UnrulyHeap.WAIT)));
            heap.awaitCallInside();
            Future<?> gone = threads.submit(() -> {
                departure.happen(context, bundle, content);
                return null;
            });
            Framework.await(List.of(HEAP), () -> framework.names(HeapState.DRAINING));
            refused("it is leaving and accepts no more requests");
            assertEquals("the second call was not let in", 1, heap.entered());
            assertFalse("the heap waits for the first", gone.isDone());

            heap.letGoOn();
            try (DmaBuf buffer = call.get(60, TimeUnit.SECONDS)) {
                gone.get(60, TimeUnit.SECONDS);
                assertEquals(1, framework.charged(HEAP));
                works(buffer);
            }
            comesBackOrNot();
        }
    }

    private void an_open_buffer_works_on() throws Exception {
        DmaBuf buffer = broker.allocate(Unruly.request());
        CpuAccess access = buffer.beginCpuAccess(Access.READ_WRITE);
        departure.happen(context, bundle, content);

        assertEquals("charged and listed", 1, framework.charged(HEAP));
        access.close();
        works(buffer);
        DmaBuf another = buffer.newReference();
        buffer.close();
        works(another);
        another.close();
        comesBackOrNot();
    }

    private void a_mapping_works_on_and_stays_charged() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            DmaBuf buffer = broker.allocate(Unruly.request());
            MemorySegment segment = buffer.map(Access.READ_WRITE, arena);
            segment.set(JAVA_BYTE, 0, (byte) 1);
            departure.happen(context, bundle, content);

            buffer.close();
            assertEquals(1, segment.get(JAVA_BYTE, 0));
            segment.set(JAVA_BYTE, 8191, (byte) 2);
            assertEquals(2, segment.get(JAVA_BYTE, 8191));
            HeapState listed = departure.comesBack() ? HeapState.SERVING : HeapState.DEPARTED;
            assertEquals(1, framework.heap(HEAP, listed).charged().liveBuffers());
            assertEquals(8192, framework.heap(HEAP, listed).charged().liveBytes());
        }
        comesBackOrNot();
    }

    private void a_descriptor_works_on() throws Exception {
        DmaBuf buffer = broker.allocate(Unruly.request());
        FirstByte.write(buffer, 3);
        OwnedFd descriptor = buffer.exportFd();
        try (InFlight peer = new InFlight(descriptor)) {
            departure.happen(context, bundle, content);

            assertEquals(3, FirstByte.read(descriptor, buffer.size()));
            descriptor.close();
            works(buffer);
            FirstByte.write(buffer, 4);
            buffer.close();
            peer.receiveAndExpect((byte) 4, 8192);
        }
        comesBackOrNot();
    }

    private void a_publication_stays() throws Exception {
        Bundle early = framework.startEmptyBundle("org.example.early");
        Bundle late = framework.startEmptyBundle("org.example.late");
        DmaBuf buffer = broker.allocate(Unruly.request());
        Publication publication = broker.publish(buffer, "frame", Access.READ_WRITE);
        buffer.close();
        DmaBuf got = get(early);
        departure.happen(context, bundle, content);

        works(got);
        works(get(late));
        publication.close();
        assertEquals(List.of(), published(context));
        works(got);
        early.uninstall();
        late.uninstall();
        assertThrows(IllegalStateException.class, got::exportFd);
        comesBackOrNot();
    }

    private static DmaBuf get(Bundle user) throws Exception {
        List<ServiceReference<PublishedBuffer>> found = published(user.getBundleContext());
        assertEquals(1, found.size());
        return user.getBundleContext().getService(found.getFirst()).open();
    }

    private static List<ServiceReference<PublishedBuffer>> published(BundleContext user) throws Exception {
        return List.copyOf(user.getServiceReferences(PublishedBuffer.class, "(dmabuf.name=frame)"));
    }

    /** Checks the state after every buffer is closed: no charge exists, and the heap serves or is unknown. */
    private void comesBackOrNot() throws Exception {
        Framework.await(0L, () -> framework.charged(HEAP)); // the reaper unmaps
        if (departure.comesBack()) {
            try (DmaBuf next = broker.allocate(Unruly.request())) {
                works(next);
            }
        } else {
            assertEquals(List.of("system"), framework.names(HeapState.SERVING));
            refused("there is no such heap");
        }
    }

    private void refused(String reason) {
        HeapException refusal = assertThrows(HeapException.class, () -> broker.allocate(Unruly.request()));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertEquals(Optional.of(HEAP), refusal.heap());
        String message = refusal.getMessage();
        assertTrue(message, message.startsWith("heap '" + HEAP + "': ") && message.contains(reason));
    }

    private static void works(DmaBuf buffer) {
        FirstByte.write(buffer, 5);
        try (CpuAccess _ = buffer.beginCpuAccess(Access.READ);
                OwnedFd descriptor = buffer.exportFd()) {
            assertEquals(5, FirstByte.read(descriptor, buffer.size()));
        }
        assertEquals(HEAP, buffer.heapName());
        assertTrue(buffer.inode().isPresent());
    }
}
