// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.ref.WeakReference;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/** Tests of published buffers in the registry of a real framework. */
class BrokerComponentPublicationsTest extends BrokerInFramework {
    @Test
    void a_published_buffer_is_a_service_with_its_name_size_and_heap() {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        ServiceReference<PublishedBuffer> reference = published(display);
        assertEquals("front", reference.getProperty(HeapProperties.BUFFER_NAME));
        assertEquals(4096L, reference.getProperty(HeapProperties.BUFFER_SIZE));
        assertEquals("system", reference.getProperty(HeapProperties.NAME));
        assertEquals("READ", reference.getProperty(HeapProperties.BUFFER_ACCESS));
        assertEquals(Constants.SCOPE_BUNDLE, reference.getProperty(Constants.SERVICE_SCOPE));
        assertSame(camera, reference.getBundle());
        publication.close();
        publication.close();
        assertNull(published(display));
    }

    @Test
    void no_warning_is_logged_for_a_bundle_that_closed_its_publications() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        brokerOf(display).publish(buffer, "front").close();
        buffer.close();
        RecordedLog.clear();
        display.stop();
        assertEquals(List.of(), RecordedLog.lines());
    }

    @Test
    void a_publication_that_is_taken_back_is_counted_once() throws Exception {
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
    void a_reference_that_a_bundle_opened_is_its_own_until_it_closes_it() {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        buffer.close();
        PublishedBuffer published = got(display);
        assertEquals("front", published.name());
        assertEquals(4096, published.size());
        DmaBuf one = published.open();
        DmaBuf two = published.open();
        assertNotSame(one, two);
        one.close();
        assertThrows(IllegalStateException.class, one::newReference);
        display.getBundleContext().ungetService(published(display));
        publication.close();
        assertThrows(IllegalStateException.class, published::open);
        two.beginCpuAccess(Access.READ).close();
        assertEquals(1, live());
        two.close();
        assertTrue(exporter.memory().released());
        assertEquals(0, live());
    }

    @Test
    void a_lost_reference_is_found_because_the_publication_does_not_keep_it() {
        heap("system", new FakeHeap());
        Publication publication = brokerOf(camera).publish(brokerOf(camera).allocate(REQUEST), "front");
        PublishedBuffer published = got(display);
        DmaBuf[] got = {published.open()};
        WeakReference<DmaBuf> gone = new WeakReference<>(got[0]);
        got[0] = null;
        Await.untilCollected("the reference is collected", () -> gone.refersTo(null));
        publication.close();
    }

    @Test
    void a_read_only_reference_permits_only_reading() {
        memfd();
        try (DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
                Publication _ = brokerOf(camera).publish(buffer, "front");
                Arena arena = Arena.ofConfined()) {
            PublishedBuffer published = got(display);
            assertEquals(Access.READ, published.access());
            try (DmaBuf open = published.open();
                    DmaBuf again = open.newReference()) {
                for (DmaBuf each : List.of(open, again)) {
                    assertTrue(each.map(Access.READ, arena).isReadOnly());
                    each.beginCpuAccess(Access.READ).close();
                    for (Access access : List.of(Access.WRITE, Access.READ_WRITE)) {
                        refused(() -> each.map(access, arena));
                        refused(() -> each.beginCpuAccess(access));
                    }
                    refused(each::exportFd);
                    refused(() -> brokerOf(display).publish(each, "rear", Access.READ_WRITE));
                }
                try (Publication _ = brokerOf(display).publish(open, "rear")) {
                    assertEquals(
                            1,
                            camera.getBundleContext()
                                    .getServiceReferences(PublishedBuffer.class, "(dmabuf.name=rear)")
                                    .size());
                }
            } catch (InvalidSyntaxException e) {
                throw new AssertionError(e);
            }
        }
    }

    private static void refused(Executable use) {
        HeapException refusal = assertThrows(HeapException.class, use);
        assertEquals(Errno.EACCES, refusal.errno());
    }

    @Test
    void a_read_only_reference_exports_a_read_only_descriptor() {
        memfd();
        try (DmaBuf buffer = brokerOf(camera).allocate(REQUEST.withExport(ExportMode.READ_ONLY));
                Publication _ = brokerOf(camera).publish(buffer, "front");
                DmaBuf open = got(display).open();
                OwnedFd descriptor = open.exportFd();
                Arena arena = Arena.ofConfined()) {
            assertEquals(buffer.inode(), open.inode());
            assertThrows(
                    HeapException.class,
                    () -> new Mappings(Syscalls.linux()).map(descriptor, 4096, Access.READ_WRITE, arena));
        }
    }

    @Test
    void a_publisher_may_grant_writing() {
        memfd();
        try (DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
                Publication _ = brokerOf(camera).publish(buffer, "front", Access.READ_WRITE);
                DmaBuf open = got(display).open();
                Arena arena = Arena.ofConfined()) {
            assertEquals("READ_WRITE", published(display).getProperty(HeapProperties.BUFFER_ACCESS));
            open.map(Access.READ_WRITE, arena).fill((byte) 7);
            open.beginCpuAccess(Access.WRITE).close();
            open.exportFd().close();
            assertEquals(7, buffer.map(Access.READ, arena).get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test
    void a_stopped_consumer_loses_its_references_and_no_others() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        brokerOf(camera).publish(buffer, "front");
        DmaBuf got = got(display).open();
        DmaBuf own = got.newReference();
        display.stop();
        assertThrows(IllegalStateException.class, got::newReference);
        assertThrows(IllegalStateException.class, own::newReference);
        buffer.newReference().close();
        assertEquals(1, live());
    }

    @Test
    void a_stopped_publisher_loses_its_publications_and_opened_references_stay() throws Exception {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        Publication publication = brokerOf(display).publish(buffer, "front");
        PublishedBuffer published = got(camera);
        DmaBuf open = published.open();
        display.stop();
        assertNull(published(camera));
        assertThrows(IllegalStateException.class, published::open);
        open.newReference().close();
        assertEquals(1, live());
        open.close();
        assertTrue(exporter.memory().released());
        assertDoesNotThrow(publication::close);
    }

    @Test
    void a_restarted_consumer_gets_the_service_again() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        brokerOf(camera).publish(buffer, "front");
        PublishedBuffer old = got(display);
        display.stop();
        display.start();
        assertThrows(IllegalStateException.class, old::open);
        got(display).open().close();
        buffer.close();
    }

    @Test
    void a_bundle_may_publish_another_bundles_buffer_which_then_outlives_that_bundle() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        display.stop();
        assertSame(camera, published(camera).getBundle());
        assertEquals(1, live());
        got(camera).open().close();
        publication.close();
        assertEquals(0, live());
    }

    @Test
    void opening_while_the_publication_closes_succeeds_or_is_refused() {
        heap("system", new FakeHeap());
        HeapBroker own = brokerOf(camera);
        class Round {
            final AtomicInteger got = new AtomicInteger();
            final DmaBuf buffer = own.allocate(REQUEST);
            final Publication publication = own.publish(buffer, "front");
            final PublishedBuffer published = got(display);
        }
        Round[] now = new Round[1];
        new Race()
                .before(round -> {
                    now[0] = new Round();
                    now[0].buffer.close();
                })
                .with(round -> {
                    try {
                        while (true) {
                            now[0].published.open().close();
                            now[0].got.incrementAndGet();
                        }
                    } catch (IllegalStateException e) {
                        now[0].got.addAndGet(1 << 20); // the publication has ended
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
        Collection<ServiceReference<PublishedBuffer>> found =
                display.getBundleContext().getServiceReferences(PublishedBuffer.class, "(dmabuf.name=rear)");
        assertEquals(1, found.size());
        PublishedBuffer rear =
                display.getBundleContext().getService(found.iterator().next());
        assertEquals("rear", rear.name());
        try (DmaBuf open = rear.open()) {
            assertEquals(Optional.of("frame"), open.name());
        }
    }
}
