// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.lang.foreign.Arena;
import java.util.List;
import javax.inject.Inject;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.linux.text.Bytes;
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
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/** Tests of a buffer that one bundle publishes and another bundle opens. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class PublicationIT {
    private static final AllocationRequest FRAME =
            AllocationRequest.of(Bytes.PAGE).withHeaps("system").withName("frame 7");

    @Inject
    private BundleContext context;

    private Framework framework;
    private Bundle publisher;
    private Bundle consumer;
    private HeapBroker broker;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Before
    public void start_two_bundles() throws Exception {
        framework = new Framework(context);
        publisher = framework.startEmptyBundle("org.example.publisher");
        consumer = framework.startEmptyBundle("org.example.consumer");
        broker = Framework.broker(publisher.getBundleContext());
    }

    @After
    public void nothing_is_left() throws Exception {
        publisher.uninstall();
        consumer.uninstall();
        assertEquals(List.of(), published());
        Framework.await(0L, () -> framework.charged("system"));
    }

    @Test
    public void a_consumer_finds_a_buffer_by_name_and_reads_it_and_a_write_is_refused() {
        publish(FRAME, Access.READ);
        ServiceReference<PublishedBuffer> service = published().getFirst();
        assertEquals(Bytes.PAGE, service.getProperty("dmabuf.size"));
        assertEquals("READ", service.getProperty("dmabuf.access"));
        assertEquals("system", service.getProperty("heap.name"));
        PublishedBuffer offer = offer();
        assertEquals("frame", offer.name());
        assertEquals(Bytes.PAGE, offer.size());
        assertEquals(Access.READ, offer.access());

        try (DmaBuf got = offer.open();
                Arena arena = Arena.ofConfined();
                CpuAccess _ = got.beginCpuAccess(Access.READ)) {
            assertEquals(6, FirstByte.read(got));
            assertTrue(got.map(Access.READ, arena).isReadOnly());
            refused(() -> got.map(Access.READ_WRITE, arena));
            refused(() -> got.beginCpuAccess(Access.WRITE));
            refused(got::exportFd); // its descriptor would permit writing
            try (DmaBuf another = got.newReference()) {
                refused(() -> another.map(Access.WRITE, arena));
            }
        }
    }

    private static void refused(Runnable write) {
        HeapRefusedException refusal = assertThrows(HeapRefusedException.class, write::run);
        assertEquals(Errno.EACCES, refusal.errno());
        assertTrue(refusal.getMessage(), refusal.getMessage().endsWith("have its publisher grant READ_WRITE"));
    }

    @Test
    public void a_consumer_exports_a_descriptor_of_a_buffer_that_no_holder_can_write() {
        publish(FRAME.withExport(ExportMode.READ_ONLY), Access.READ);
        try (DmaBuf got = offer().open();
                OwnedFd descriptor = got.exportFd()) {
            assertEquals(6, FirstByte.read(descriptor, 4096));
        }
    }

    @Test
    public void a_consumer_writes_a_buffer_that_was_granted_for_writing() {
        DmaBuf buffer = publish(FRAME, Access.READ_WRITE);
        assertEquals("READ_WRITE", published().getFirst().getProperty("dmabuf.access"));
        try (DmaBuf got = offer().open()) {
            FirstByte.write(got, 8);
        }
        assertEquals(8, FirstByte.read(buffer));
    }

    @Test
    public void a_read_only_reference_cannot_be_published_for_writing() {
        publish(FRAME, Access.READ);
        HeapBroker theirs = Framework.broker(consumer.getBundleContext());
        try (DmaBuf got = offer().open()) {
            HeapRefusedException refusal =
                    assertThrows(HeapRefusedException.class, () -> theirs.publish(got, "mine", Access.READ_WRITE));
            assertEquals(Errno.EACCES, refusal.errno());
            theirs.publish(got, "mine").close();
        }
    }

    @Test
    public void a_reference_survives_the_publication_and_its_bundle_and_is_charged_to_that() throws Exception {
        DmaBuf buffer = broker.allocate(FRAME);
        FirstByte.write(buffer, 6);
        Publication publication = broker.publish(buffer, "frame");
        buffer.close();
        PublishedBuffer offer = offer();
        DmaBuf got = offer.open();

        publication.close();
        publication.close();
        assertEquals(List.of(), published());
        assertThrows(IllegalStateException.class, offer::open);
        assertEquals(6, FirstByte.read(got));

        publisher.stop();
        assertEquals(6, FirstByte.read(got));
        assertEquals(1, framework.charged("system"));
        assertEquals(
                List.of("org.example.publisher"),
                framework.monitor().buffers().stream()
                        .map(one -> one.client().toString())
                        .toList());
        got.close();
        Framework.await(0L, () -> framework.charged("system"));
    }

    @Test
    public void the_stop_of_a_consumer_drops_its_references_and_the_publication_stays() throws Exception {
        DmaBuf buffer = publish(FRAME, Access.READ);
        PublishedBuffer offer = offer();
        DmaBuf got = offer.open();
        assertEquals("own, the publication's and the consumer's", 3, references());

        consumer.stop();
        assertThrows(IllegalStateException.class, () -> FirstByte.read(got));
        assertThrows(IllegalStateException.class, offer::open);
        assertEquals(2, references());

        consumer.start();
        try (DmaBuf again = offer().open()) {
            assertEquals(6, FirstByte.read(again));
        }
        assertEquals(6, FirstByte.read(buffer));
    }

    @Test
    public void an_unget_leaves_the_references_that_were_opened() {
        publish(FRAME, Access.READ);
        try (DmaBuf got = offer().open()) {
            assertTrue(consumer.getBundleContext().ungetService(published().getFirst()));
            assertEquals(6, FirstByte.read(got));
        }
    }

    @Test
    public void a_publication_ends_with_the_bundle_that_made_it() throws Exception {
        publish(FRAME, Access.READ);
        assertFalse(published().isEmpty());
        publisher.stop();
        assertEquals(List.of(), published());
        Framework.await(0L, () -> framework.charged("system"));
    }

    /** Publishes a buffer whose first byte is 6, and keeps it open. */
    private DmaBuf publish(AllocationRequest request, Access granted) {
        DmaBuf buffer = broker.allocate(request);
        FirstByte.write(buffer, 6);
        broker.publish(buffer, "frame", granted);
        return buffer;
    }

    private int references() {
        return framework.monitor().buffers().getFirst().references();
    }

    private PublishedBuffer offer() {
        return consumer.getBundleContext().getService(published().getFirst());
    }

    private List<ServiceReference<PublishedBuffer>> published() {
        try {
            return List.copyOf(context.getServiceReferences(PublishedBuffer.class, "(dmabuf.name=frame)"));
        } catch (InvalidSyntaxException e) {
            throw new AssertionError(e);
        }
    }
}
