// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.Publication;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceObjects;
import org.osgi.framework.ServiceReference;

/** Published buffers in the registry of a real framework. */
class BrokerComponentPublicationsTest extends BrokerInFramework {
    @Test
    void a_published_buffer_is_a_service_with_its_name_size_and_heap() {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        ServiceReference<DmaBuf> reference = published(display);
        assertEquals("front", reference.getProperty(HeapProperties.BUFFER_NAME));
        assertEquals(4096L, reference.getProperty(HeapProperties.BUFFER_SIZE));
        assertEquals("system", reference.getProperty(HeapProperties.NAME));
        assertEquals(Constants.SCOPE_PROTOTYPE, reference.getProperty(Constants.SERVICE_SCOPE));
        assertSame(camera, reference.getBundle());
        publication.close();
        publication.close();
        assertNull(published(display));
    }

    @Test
    void a_bundle_that_closed_its_publications_is_not_complained_of() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        brokerOf(display).publish(buffer, "front").close();
        buffer.close();
        RecordedLog.clear();
        display.stop();
        assertEquals(List.of(), RecordedLog.lines());
    }

    @Test
    void a_publication_that_is_taken_back_counts_once() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        brokerOf(display).publish(buffer, "front");
        buffer.close();
        RecordedLog.clear();
        display.stop();
        assertEquals(
                List.of("WARN bundle org.example.display has stopped: took back 1 references, CPU accesses, descriptors"
                        + " and publications of bundle org.example.display"),
                RecordedLog.lines());
        assertEquals(0, live());
    }

    @Test
    void a_publication_holds_the_memory_and_is_not_charged_again() {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        buffer.close();
        assertEquals(1, live());
        assertEquals(List.of(), exporter.memory().calls());
        publication.close();
        assertTrue(exporter.memory().released());
        assertEquals(0, live());
    }

    @Test
    void each_getter_holds_a_reference_until_it_ungets() {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        buffer.close();
        ServiceObjects<DmaBuf> objects = objects(display, published(display));
        DmaBuf one = objects.getService();
        DmaBuf two = objects.getService();
        assertNotSame(one, two);
        one.close(); // does nothing: who got it ungets it
        one.beginCpuAccess(Access.READ).close();
        DmaBuf own = one.newReference();
        objects.ungetService(one);
        assertThrows(IllegalStateException.class, one::duplicate);
        two.beginCpuAccess(Access.READ).close();
        publication.close(); // the framework ungets for everybody
        assertThrows(IllegalStateException.class, two::duplicate);
        assertEquals(1, live());
        own.close(); // a duplicate is the getter's own
        assertTrue(exporter.memory().released());
        assertEquals(0, live());
    }

    @Test
    void a_reference_that_was_ungot_is_not_kept_by_the_publication() {
        heap("system", new FakeHeap());
        Publication publication = brokerOf(camera).publish(brokerOf(camera).allocate(REQUEST), "front");
        ServiceObjects<DmaBuf> objects = objects(display, published(display));
        DmaBuf[] got = {objects.getService()};
        WeakReference<DmaBuf> gone = new WeakReference<>(got[0]);
        objects.ungetService(got[0]);
        got[0] = null;
        Await.untilCollected("the reference goes", () -> gone.refersTo(null));
        publication.close();
    }

    @Test
    void a_getter_that_stops_drops_its_references_and_no_others() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        brokerOf(camera).publish(buffer, "front");
        DmaBuf got = objects(display, published(display)).getService();
        DmaBuf own = got.newReference();
        display.stop();
        assertThrows(IllegalStateException.class, got::duplicate);
        assertThrows(IllegalStateException.class, own::duplicate);
        buffer.newReference().close();
        assertEquals(1, live());
    }

    @Test
    void a_publisher_that_stops_takes_its_publications_along() throws Exception {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        Publication publication = brokerOf(display).publish(buffer, "front");
        DmaBuf got = camera.getBundleContext().getService(published(camera));
        DmaBuf own = got.newReference();
        display.stop();
        assertNull(published(camera));
        assertThrows(IllegalStateException.class, got::duplicate);
        assertEquals(1, live());
        own.close();
        assertTrue(exporter.memory().released());
        assertDoesNotThrow(publication::close);
    }

    @Test
    void a_bundle_may_publish_another_bundles_buffer_which_then_outlives_that_bundle() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        display.stop();
        assertSame(camera, published(camera).getBundle());
        assertEquals(1, live());
        objects(camera, published(camera)).getService().newReference().close();
        publication.close();
        assertEquals(0, live());
    }

    /** Felix forgets a getter that comes while the service goes: its unget never reaches the publication. */
    @Test
    void a_reference_got_while_the_publication_closes_is_dropped_with_it() {
        heap("system", new FakeHeap());
        HeapBroker own = brokerOf(camera);
        class Round {
            final AtomicInteger got = new AtomicInteger();
            final DmaBuf buffer = own.allocate(REQUEST);
            final Publication publication = own.publish(buffer, "front");
            final ServiceObjects<DmaBuf> objects = objects(display, published(display));
        }
        Round[] now = new Round[1];
        new Race()
                .before(round -> {
                    now[0] = new Round();
                    now[0].buffer.close();
                })
                .with(round -> {
                    while (now[0].objects.getService() != null) {
                        now[0].got.incrementAndGet();
                    }
                })
                .with(round -> {
                    Race.awaitSome(now[0].got);
                    now[0].publication.close();
                })
                .after(round -> assertEquals(0, live(), "round " + round))
                .run(500);
    }

    @Test
    void published_buffers_are_found_by_a_filter() throws Exception {
        heap("system", new FakeHeap());
        for (String name : List.of("front", "rear")) {
            try (DmaBuf buffer = brokerOf(camera).allocate(REQUEST)) {
                brokerOf(camera).publish(buffer, name);
            }
        }
        Collection<ServiceReference<DmaBuf>> found =
                display.getBundleContext().getServiceReferences(DmaBuf.class, "(dmabuf.name=rear)");
        assertEquals(1, found.size());
        assertEquals("frame", display.getBundleContext().getService(found.iterator().next()).name());
    }
}
