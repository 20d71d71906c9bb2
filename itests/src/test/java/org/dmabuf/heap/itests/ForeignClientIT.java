// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Dictionary;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.inject.Inject;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.UsageRecord;
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
import org.osgi.framework.FrameworkUtil;
import org.osgi.service.cm.ConfigurationAdmin;

/** Tests of a bundle that allocates for clients outside the framework, each with its own account and rules. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class ForeignClientIT {
    private static final String SERVER = "org.example.server";
    private static final ClientId USER = ClientId.of("uid", "1000");
    private static final ClientId OTHER = ClientId.of("uid", "1001");
    private static final AllocationRequest PAGE =
            AllocationRequest.of(Bytes.PAGE).withHeaps("system");

    @Inject
    private BundleContext context;

    @Inject
    private ConfigurationAdmin configurations;

    private Framework framework;
    private Bundle server;
    private HeapBroker broker;
    private org.osgi.service.cm.Configuration settings;
    private Dictionary<String, Object> before;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Before
    public void start_a_server() throws Exception {
        framework = new Framework(context);
        server = framework.startEmptyBundle(SERVER);
        broker = Framework.broker(server.getBundleContext());
        settings = configurations.getConfiguration(Framework.BROKER, "?");
        before = settings.getProperties();
    }

    @After
    public void nothing_is_left() throws Exception {
        server.uninstall();
        if (before == null) {
            settings.delete();
        } else {
            settings.update(before);
        }
        HeapBroker own = framework.broker();
        Framework.await(false, () -> mayOpen(own));
        Framework.await(0L, () -> framework.charged("system"));
        assertEquals(Optional.empty(), usage(USER));
    }

    /**
     * Configures the broker so that the server and its client uid:1000 may open views, and waits until the server may.
     */
    private void allowViews(Map<String, Object> more) throws Exception {
        Map<String, Object> configured = new HashMap<>(more);
        configured.put(
                "views.allow", SERVER + " uid:1000 " + context.getBundle().getSymbolicName());
        settings.update(FrameworkUtil.asDictionary(configured));
        Framework.await(true, () -> mayOpen(broker));
    }

    private static boolean mayOpen(HeapBroker broker) {
        try (ClientView _ = broker.openView(OTHER)) {
            return true;
        } catch (HeapRefusedException e) {
            return false;
        }
    }

    @Test
    public void without_the_setting_no_bundle_opens_a_view() {
        HeapRefusedException refusal = assertThrows(HeapRefusedException.class, () -> broker.openView(USER));
        assertEquals(Errno.EACCES, refusal.errno());
        assertTrue(
                refusal.getMessage(),
                refusal.getMessage().startsWith("bundle " + SERVER + " at ")
                        && refusal.getMessage().contains("add " + SERVER + " to views.allow in " + Framework.BROKER));
        assertThrows(
                IllegalArgumentException.class, () -> broker.openView(ClientId.ofBundle(SERVER, server.getLocation())));
    }

    @Test
    public void a_foreign_client_opens_no_view_unless_the_setting_names_it() throws Exception {
        allowViews(Map.of());
        try (ClientView view = broker.openView(OTHER)) {
            HeapRefusedException refusal = assertThrows(HeapRefusedException.class, () -> view.openView(USER));
            assertTrue(refusal.getMessage(), refusal.getMessage().startsWith("client uid:1001 may not"));
        }
    }

    @Test
    public void memory_that_is_allocated_through_a_view_is_charged_to_its_client() throws Exception {
        allowViews(Map.of());
        try (ClientView view = broker.openView(USER);
                DmaBuf _ = view.allocate(PAGE);
                DmaBuf _ = broker.allocate(PAGE)) {
            assertEquals(USER, view.client());
            UsageRecord charged = usage(USER).orElseThrow();
            assertEquals("uid:1000", charged.client().orElseThrow().toString());
            assertEquals(1, charged.liveBuffers());
            assertEquals(Bytes.PAGE, charged.liveBytes());
            assertEquals(1, charged.allocations());
            ClientId own = ClientId.ofBundle(SERVER, server.getLocation());
            assertEquals(1, usage(own).orElseThrow().liveBuffers());
            assertEquals(
                    1,
                    framework.monitor().buffers().stream()
                            .filter(buffer -> buffer.client().equals(USER))
                            .count());
        }
    }

    @Test
    public void two_views_for_one_client_share_its_account() throws Exception {
        allowViews(Map.of());
        try (ClientView first = broker.openView(USER);
                DmaBuf _ = first.allocate(PAGE)) {
            try (ClientView second = broker.openView(USER)) {
                second.allocate(PAGE);
                assertEquals(2, usage(USER).orElseThrow().liveBuffers());
            }
            assertEquals(
                    "what the other view has stays",
                    1,
                    usage(USER).orElseThrow().liveBuffers());
        }
    }

    @Test
    public void a_quota_of_a_client_applies_only_to_that_client() throws Exception {
        allowViews(Map.of("quota.client", "uid:1000=8K"));
        try (ClientView view = broker.openView(USER);
                ClientView other = broker.openView(OTHER);
                DmaBuf _ = view.allocate(PAGE);
                DmaBuf _ = view.allocate(PAGE)) {
            HeapException refusal = assertThrows(HeapShortageException.class, () -> view.allocate(PAGE));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertTrue(
                    refusal.getMessage(),
                    refusal.getMessage().contains(Bytes.text(Bytes.PAGE) + " for client uid:1000 does not fit")
                            && refusal.getMessage().contains("raise quota.client in " + Framework.BROKER));
            assertEquals(8192, usage(USER).orElseThrow().limit().orElseThrow());
            assertEquals(
                    1L, usage(USER).orElseThrow().failures().get(Errno.ENOMEM).longValue());
            assertEquals(3, other.allocate(PAGE, 3).size());
            assertEquals(3, broker.allocate(PAGE, 3).size());
        }
    }

    @Test
    public void the_close_of_a_view_takes_back_all_resources_that_are_open_through_it() throws Exception {
        allowViews(Map.of());
        ClientView view = broker.openView(USER);
        DmaBuf buffer = view.allocate(PAGE);
        CpuAccess access = buffer.beginCpuAccess(Access.READ);
        OwnedFd descriptor = buffer.exportFd();
        view.publish(buffer, "theirs");
        ClientView inner = view.openView(OTHER);
        inner.allocate(PAGE);
        try (Arena arena = Arena.ofShared()) {
            MemorySegment mapping = view.allocate(PAGE).map(Access.READ_WRITE, arena);

            view.close();
            view.close();
            mapping.set(JAVA_BYTE, 0, (byte) 1);
            assertEquals("mapped", 1, usage(USER).orElseThrow().liveBuffers());
        }
        isTakenBack(view, buffer, descriptor);
        access.close();
        assertThrows(IllegalStateException.class, () -> inner.allocate(PAGE));
        broker.allocate(PAGE).close(); // the bundle's own broker stays usable
    }

    @Test
    public void the_stop_of_the_bundle_that_opened_a_view_takes_back_all_its_resources() throws Exception {
        allowViews(Map.of());
        ClientView view = broker.openView(USER);
        DmaBuf buffer = view.allocate(PAGE);
        OwnedFd descriptor = buffer.exportFd();
        view.publish(buffer, "theirs");

        server.stop();
        isTakenBack(view, buffer, descriptor);
    }

    private void isTakenBack(ClientView view, DmaBuf buffer, OwnedFd descriptor) throws Exception {
        Framework.await(Optional.empty(), () -> usage(USER));
        assertThrows(IllegalStateException.class, () -> FirstByte.read(buffer));
        assertThrows(IllegalStateException.class, descriptor::fd);
        assertThrows(IllegalStateException.class, () -> view.allocate(PAGE));
        assertThrows(IllegalStateException.class, view::heaps);
        assertEquals(
                List.of(), List.copyOf(context.getServiceReferences(PublishedBuffer.class, "(dmabuf.name=theirs)")));
    }

    private Optional<UsageRecord> usage(ClientId client) {
        return framework.monitor().usageByClient().stream()
                .filter(record -> record.client().equals(Optional.of(client)))
                .findFirst();
    }
}
