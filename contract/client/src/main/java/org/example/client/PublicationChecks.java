// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.example.client.Gateway.OWN;

import java.lang.foreign.Arena;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/** Checks of buffers that are published for other bundles; this one is the publisher and the other bundle. */
final class PublicationChecks {
    private final Gateway gateway;
    private final HeapBroker broker;

    PublicationChecks(Gateway gateway) {
        this.gateway = gateway;
        broker = gateway.broker();
    }

    void run(Report report) {
        report.run("a buffer is published for reading", this::aBufferIsPublishedForReading);
        report.run("a buffer is published for writing", this::aBufferIsPublishedForWriting);
        report.run("a buffer for reading is exported for reading", this::aBufferForReadingIsExported);
        report.run("wrong publications are refused", this::wrongPublicationsAreRefused);
    }

    private void aBufferIsPublishedForReading() throws Exception {
        PublishedBuffer published;
        DmaBuf reading;
        try (DmaBuf buffer = gateway.page(OWN);
                Publication _ = broker.publish(buffer, "kept")) {
            ServiceReference<PublishedBuffer> service = services().getFirst();
            Expect.same(4096L, service.getProperty(HeapProperties.BUFFER_SIZE));
            Expect.same("READ", service.getProperty(HeapProperties.BUFFER_ACCESS));
            Expect.same(OWN, service.getProperty(HeapProperties.NAME));
            published = gateway.context().getService(service);
            Expect.same("kept", published.name());
            Expect.same(4096L, published.size());
            Expect.same(Access.READ, published.access());
            reading = published.open();
            gateway.context().ungetService(service);
        }
        Expect.same(List.of(), services());
        Expect.failure(IllegalStateException.class, published::open);
        try (DmaBuf _ = reading; // it outlives the publication
                Arena arena = Arena.ofConfined()) {
            Expect.yes(reading.map(Access.READ, arena).isReadOnly());
            reading.beginCpuAccess(Access.READ).close();
            refused(() -> reading.map(Access.WRITE, arena));
            refused(() -> reading.beginCpuAccess(Access.WRITE));
            refused(reading::exportFd);
            refused(() -> broker.publish(reading, "again", Access.READ_WRITE));
        }
    }

    private static void refused(Expect.Call call) {
        Expect.same(
                Errno.EACCES, Expect.failure(HeapRefusedException.class, call).errno());
    }

    private void aBufferIsPublishedForWriting() throws Exception {
        try (DmaBuf buffer = gateway.page(OWN);
                Publication _ = broker.publish(buffer, "kept", Access.READ_WRITE);
                Arena arena = Arena.ofConfined()) {
            ServiceReference<PublishedBuffer> service = services().getFirst();
            Expect.same("READ_WRITE", service.getProperty(HeapProperties.BUFFER_ACCESS));
            PublishedBuffer published = gateway.context().getService(service);
            Expect.same(Access.READ_WRITE, published.access());
            try (DmaBuf writing = published.open()) {
                writing.map(Access.WRITE, arena).set(JAVA_BYTE, 0, (byte) 7);
            }
            Expect.same((byte) 7, buffer.map(Access.READ, arena).get(JAVA_BYTE, 0));
            gateway.context().ungetService(service);
        }
    }

    private void aBufferForReadingIsExported() throws Exception {
        try (DmaBuf buffer =
                        broker.allocate(AllocationRequest.of(1).withHeaps(OWN).withExport(ExportMode.READ_ONLY));
                Publication _ = broker.publish(buffer, "kept")) {
            ServiceReference<PublishedBuffer> service = services().getFirst();
            try (DmaBuf reading = gateway.context().getService(service).open()) {
                reading.exportFd().close();
            }
            gateway.context().ungetService(service);
        }
    }

    private void wrongPublicationsAreRefused() {
        try (DmaBuf buffer = gateway.page(OWN)) {
            Expect.failure(IllegalArgumentException.class, () -> broker.publish(buffer, " "));
            Expect.failure(IllegalArgumentException.class, () -> broker.publish(buffer, "kept", Access.WRITE));
        }
    }

    private List<ServiceReference<PublishedBuffer>> services() throws InvalidSyntaxException {
        return List.copyOf(gateway.context()
                .getServiceReferences(PublishedBuffer.class, "(" + HeapProperties.BUFFER_NAME + "=kept)"));
    }
}
