// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.inject.Inject;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.itests.client.LastWords;
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
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceEvent;
import org.osgi.framework.ServiceListener;
import org.osgi.framework.ServiceReference;

/**
 * Tests of a client bundle that leaves, for each way of leaving and each state of its buffer. Until its activator has
 * stopped, the bundle can use all its resources. Then the broker takes back the resources that are still open.
 */
@RunWith(PaxExamParameterized.class)
@ExamReactorStrategy(PerClass.class)
public class ClientDepartureIT {
    private static final String HEAP = UnrulyHeap.NAME;
    private static final String CLIENT = "org.example.client";

    @Inject
    private BundleContext context;

    private final Departure departure;
    private final Standing standing;

    private final List<String> lastWords = Collections.synchronizedList(new ArrayList<>());
    private Framework framework;
    private ProcessState before;
    private Bundle unruly;
    private Unruly heap;
    private TestBundle content;
    private Bundle client;
    private HeapBroker broker;

    public ClientDepartureIT(String departure, String standing) { // strings, because parameters pass between processes
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
    public void start_a_heap_and_a_client() throws Exception {
        framework = new Framework(context);
        framework.openWhatIsOpenedOnce();
        before = ProcessState.now();
        unruly = framework.start(TestBundle.unrulyHeap());
        heap = new Unruly(context);
        content = TestBundle.client(CLIENT);
        client = framework.start(content);
        broker = Framework.broker(client.getBundleContext());
    }

    @After
    public void nothing_is_left() throws Exception {
        if (client.getState() != Bundle.UNINSTALLED) {
            client.uninstall();
        }
        assertEquals(0, framework.charged(HEAP));
        unruly.uninstall();
        before.assertNothingLeft();
    }

    @Test
    public void resources_that_a_client_left_open_are_taken_back_once_it_has_stopped() throws Exception {
        switch (standing) {
            case CALL_IN_FLIGHT -> the_call_fails_and_its_buffer_is_taken_back();
            case OPEN -> open_resources_are_closed();
            case MAPPED -> a_mapping_stays_until_its_arena_ends();
            case EXPORTED -> a_descriptor_is_closed_unless_it_was_given_away();
            case PUBLISHED -> a_publication_ends_and_the_references_of_others_stay();
        }
        theOldBrokerIsOfNoUse();
        aRestartGetsANewOne();
    }

    private void the_call_fails_and_its_buffer_is_taken_back() throws Exception {
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            Future<DmaBuf> call = thread.submit(() -> broker.allocate(Unruly.request(UnrulyHeap.WAIT)));
            heap.awaitCallInside();
            depart();
            assertFalse("the departure does not wait for the vendor", call.isDone());

            heap.letGoOn();
            Throwable refusal = assertThrows(ExecutionException.class, () -> call.get(60, TimeUnit.SECONDS))
                    .getCause();
            assertEquals(refusal.toString(), IllegalStateException.class, refusal.getClass());
            assertTrue(refusal.toString(), refusal.getMessage().contains("bundle " + CLIENT + " has stopped"));
        }
        assertEquals(0, framework.charged(HEAP));
    }

    private void open_resources_are_closed() throws Exception {
        DmaBuf buffer = broker.allocate(Unruly.request());
        DmaBuf another = buffer.newReference();
        CpuAccess access = buffer.beginCpuAccess(Access.READ_WRITE);
        sayAtTheEnd(() -> {
            FirstByte.write(buffer, 1);
            lastWords.add("read " + FirstByte.read(another) + ", charged " + framework.charged(HEAP));
            try (DmaBuf last = broker.allocate(Unruly.request())) {
                FirstByte.write(last, 2);
                lastWords.add("allocated and read " + FirstByte.read(last));
            }
        });
        depart();

        assertEquals(List.of("read 1, charged 1", "allocated and read 2"), lastWords);
        Framework.await(0L, () -> framework.charged(HEAP)); // the reaper unmaps mappings that were made during the stop
        for (DmaBuf reference : List.of(buffer, another)) {
            isClosed(reference);
            reference.close();
        }
        access.close();
        assertEquals("closed once", 0, framework.charged(HEAP));
    }

    private void a_mapping_stays_until_its_arena_ends() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            DmaBuf buffer = broker.allocate(Unruly.request());
            MemorySegment segment = buffer.map(Access.READ_WRITE, arena);
            sayAtTheEnd(() -> segment.set(JAVA_BYTE, 0, (byte) 3));
            depart();

            isClosed(buffer);
            assertEquals(3, segment.get(JAVA_BYTE, 0));
            segment.set(JAVA_BYTE, 8191, (byte) 4);
            assertEquals(4, segment.get(JAVA_BYTE, 8191));
            assertEquals(1, framework.heap(HEAP, HeapState.SERVING).charged().liveBuffers());
            assertEquals(8192, framework.heap(HEAP, HeapState.SERVING).charged().liveBytes());
        }
        Framework.await(0L, () -> framework.charged(HEAP));
    }

    private void a_descriptor_is_closed_unless_it_was_given_away() throws Exception {
        DmaBuf buffer = broker.allocate(Unruly.request());
        FirstByte.write(buffer, 5);
        OwnedFd kept = buffer.exportFd();
        try (InFlight peer = new InFlight(kept);
                OwnedFd given = framework.broker().own(buffer.exportFd().detach())) {
            sayAtTheEnd(() -> lastWords.add("read " + FirstByte.read(kept, 8192)));
            depart();

            assertEquals(List.of("read 5"), lastWords);
            isClosed(buffer);
            assertThrows(IllegalStateException.class, kept::fd);
            assertEquals(5, FirstByte.read(given, 8192));
            peer.receiveAndExpect((byte) 5, 8192);
        }
        Framework.await(0L, () -> framework.charged(HEAP));
    }

    private void a_publication_ends_and_the_references_of_others_stay() throws Exception {
        DmaBuf buffer = broker.allocate(Unruly.request());
        FirstByte.write(buffer, 6);
        Publication publication = broker.publish(buffer, "frame");
        buffer.close();
        Bundle user = framework.startEmptyBundle("org.example.user");
        PublishedBuffer offer = user.getBundleContext().getService(published().getFirst());
        DmaBuf got = offer.open();
        sayAtTheEnd(() -> lastWords.add("still offered: " + published().size()));
        ServiceListener follower = event -> {
            if (event.getType() == ServiceEvent.UNREGISTERING) {
                lastWords.add("asked to let go of " + FirstByte.read(got) + ", charged " + framework.charged(HEAP));
            }
        };
        context.addServiceListener(follower, "(dmabuf.name=frame)");
        depart();
        context.removeServiceListener(follower);

        assertEquals(List.of("still offered: 1", "asked to let go of 6, charged 1"), lastWords);
        assertEquals(List.of(), published());
        assertThrows(IllegalStateException.class, offer::open);
        assertEquals("the reference of the user", 6, FirstByte.read(got));
        Framework.await(1L, () -> framework.charged(HEAP));
        publication.close();
        user.uninstall();
        isClosed(got);
        Framework.await(0L, () -> framework.charged(HEAP));
    }

    private void depart() throws Exception {
        departure.happen(context, client, content);
    }

    private void theOldBrokerIsOfNoUse() {
        for (Runnable use : List.<Runnable>of(
                () -> broker.allocate(Unruly.request()), broker::heaps, () -> broker.publish(null, "frame"))) {
            IllegalStateException refusal = assertThrows(IllegalStateException.class, use::run);
            assertTrue(refusal.toString(), refusal.getMessage().contains("bundle " + CLIENT + " has stopped"));
        }
        assertEquals(0, framework.charged(HEAP));
    }

    private void aRestartGetsANewOne() throws Exception {
        if (departure == Departure.UNINSTALL) {
            return;
        }
        if (departure == Departure.STOP) {
            client.start();
        }
        HeapBroker next = Framework.broker(client.getBundleContext());
        assertNotSame(broker, next);
        try (DmaBuf buffer = next.allocate(Unruly.request())) {
            FirstByte.write(buffer, 7);
            assertEquals(7, FirstByte.read(buffer));
        }
        Framework.await(0L, () -> framework.charged(HEAP));
        theOldBrokerIsOfNoUse();
    }

    @SuppressWarnings("unchecked") // the service's type is generic, its name is not
    private void sayAtTheEnd(Runnable words) throws Exception {
        var found = context.getServiceReferences(AtomicReference.class, "(" + LastWords.ROLE + "=last words)");
        assertEquals(1, found.size());
        ((AtomicReference<Runnable>) context.getService(found.iterator().next())).set(words);
    }

    private List<ServiceReference<PublishedBuffer>> published() {
        try {
            return List.copyOf(context.getServiceReferences(PublishedBuffer.class, "(dmabuf.name=frame)"));
        } catch (InvalidSyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static void isClosed(DmaBuf reference) {
        assertThrows(IllegalStateException.class, () -> FirstByte.read(reference));
        assertThrows(IllegalStateException.class, reference::exportFd);
        assertThrows(IllegalStateException.class, reference::newReference);
        assertThrows(IllegalStateException.class, () -> reference.beginCpuAccess(Access.READ));
    }
}
