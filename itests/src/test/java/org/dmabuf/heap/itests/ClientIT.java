// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import javax.inject.Inject;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
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
import org.osgi.framework.ServiceReference;

/** Tests of bundles that use the broker: each has its own service object, and leaves no resource behind. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class ClientIT {
    @Inject
    private BundleContext context;

    private Framework framework;
    private Bundle client;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Before
    public void start_a_client() throws Exception {
        framework = new Framework(context);
        client = framework.startEmptyBundle("org.example.client");
    }

    @After
    public void uninstall_the_client() throws Exception {
        client.uninstall();
        Framework.await(
                0L, () -> framework.heap("system", HeapState.SERVING).charged().liveBuffers());
    }

    @Test
    public void the_view_of_a_bundle_survives_get_and_unget() {
        ServiceReference<HeapBroker> service = client.getBundleContext().getServiceReference(HeapBroker.class);
        HeapBroker first = client.getBundleContext().getService(service);
        DmaBuf buffer = first.allocate(AllocationRequest.of(1));
        client.getBundleContext().ungetService(service);
        HeapBroker second = client.getBundleContext().getService(service);
        assertSame(first, second);
        assertNotSame("another bundle has another view", first, framework.broker());
        assertEquals(Bytes.PAGE, mappedBytes(buffer));
    }

    @Test
    public void resources_that_a_stopped_bundle_left_open_are_taken_back() throws Exception {
        HeapBroker broker = Framework.broker(client.getBundleContext());
        DmaBuf buffer = broker.allocate(AllocationRequest.of(1));
        DmaBuf another = buffer.newReference();
        CpuAccess access = buffer.beginCpuAccess(Access.READ);
        OwnedFd descriptor = buffer.exportFd();
        assertEquals(1, framework.heap("system", HeapState.SERVING).charged().liveBuffers());

        client.stop();

        assertEquals(0, framework.heap("system", HeapState.SERVING).charged().liveBuffers());
        assertThrows(IllegalStateException.class, () -> mappedBytes(buffer));
        assertThrows(IllegalStateException.class, another::exportFd);
        assertThrows(IllegalStateException.class, descriptor::fd);
        assertThrows(IllegalStateException.class, () -> broker.allocate(AllocationRequest.of(1)));
        access.close();
        buffer.close();
    }

    @Test
    public void a_mapping_of_a_stopped_bundle_stays_until_its_arena_ends() throws Exception {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment segment = Framework.broker(client.getBundleContext())
                    .allocate(AllocationRequest.of(1))
                    .map(Access.READ_WRITE, arena);
            client.stop();
            segment.set(JAVA_BYTE, 0, (byte) 1);
            assertEquals(
                    "charged as long as it is mapped",
                    1,
                    framework.heap("system", HeapState.SERVING).charged().liveBuffers());
        }
        Framework.await(
                0L, () -> framework.heap("system", HeapState.SERVING).charged().liveBuffers());
    }

    @Test
    public void when_the_broker_stops_every_reference_is_closed_and_a_new_broker_starts_clean() throws Exception {
        HeapBroker broker = Framework.broker(client.getBundleContext());
        DmaBuf buffer = broker.allocate(AllocationRequest.of(Bytes.PAGE));
        Arena arena = Arena.ofShared();
        MemorySegment segment = buffer.map(Access.READ_WRITE, arena);

        framework.bundle(Framework.BROKER).stop();
        assertThrows(IllegalStateException.class, buffer::exportFd);
        assertThrows(IllegalStateException.class, broker::heaps);
        Framework.await(
                false,
                () -> Thread.getAllStackTraces().keySet().stream()
                        .anyMatch(thread -> thread.getName().equals("dmaheap-reaper")));
        segment.set(JAVA_BYTE, 0, (byte) 5);
        arena.close();

        framework.bundle(Framework.BROKER).start();
        Framework.broker(client.getBundleContext())
                .allocate(AllocationRequest.of(Bytes.PAGE))
                .close();
    }

    private static long mappedBytes(DmaBuf buffer) {
        try (Arena arena = Arena.ofConfined()) {
            return buffer.map(Access.READ, arena).byteSize();
        }
    }
}
