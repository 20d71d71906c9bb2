// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.inject.Inject;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
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
import org.osgi.framework.ServiceRegistration;

/** Tests of heaps that arrive and leave while the gateway runs. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class HotPlugIT {
    @Inject
    private BundleContext context;

    private Framework framework;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Before
    public void the_system_heap_alone_serves() {
        framework = new Framework(context);
        assertEquals(List.of("system"), framework.names(HeapState.SERVING));
    }

    @After
    public void nothing_is_left() throws Exception {
        Framework.await(
                0L,
                () -> framework.broker().heaps().stream()
                        .mapToLong(heap -> heap.charged().liveBuffers())
                        .sum());
        assertEquals(1, framework.heaps().size());
    }

    @Test
    public void a_vendor_heap_is_installed_used_stopped_and_uninstalled_with_a_buffer_open() throws Exception {
        Bundle vendor = framework.install(Gateway.dropIn("vendor-heap"));
        vendor.start();
        assertEquals("a vendor's heap is asked last", List.of("system", "acme"), framework.names(HeapState.SERVING));
        assertEquals(
                "org.example.acme.heap",
                framework.heap("acme", HeapState.SERVING).bundle());

        DmaBuf buffer = framework
                .broker()
                .allocate(AllocationRequest.of(10_000).withHeaps("acme").withName("survivor"));
        assertEquals("acme", buffer.heapName());
        assertEquals(1, framework.heap("acme", HeapState.SERVING).charged().liveBuffers());

        vendor.stop();
        assertEquals(List.of("system"), framework.names(HeapState.SERVING));
        assertEquals(
                12_288, framework.heap("acme", HeapState.DEPARTED).charged().liveBytes());
        FirstByte.write(buffer, 1);

        vendor.uninstall();
        FirstByte.write(buffer, 2);
        try (OwnedFd descriptor = buffer.exportFd()) {
            assertEquals(2, FirstByte.read(descriptor, buffer.size()));
        }

        buffer.close();
        Framework.await(List.of(), () -> framework.names(HeapState.DEPARTED));
        HeapException gone = assertThrows(
                HeapException.class,
                () -> framework.broker().allocate(AllocationRequest.of(1).withHeaps("acme")));
        assertEquals(Errno.ENODEV, gone.errno());
    }

    @Test
    public void a_vendor_heap_is_updated_with_a_buffer_open() throws Exception {
        Bundle vendor = framework.install(Gateway.dropIn("vendor-heap"));
        vendor.start();
        DmaBuf before = framework.broker().allocate(AllocationRequest.of(4096).withHeaps("acme"));

        vendor.update(new ByteArrayInputStream(Files.readAllBytes(Gateway.dropIn("vendor-heap"))));

        DmaBuf after = framework.broker().allocate(AllocationRequest.of(4096).withHeaps("acme"));
        assertEquals(
                "the account is the same",
                2,
                framework.heap("acme", HeapState.SERVING).charged().liveBuffers());
        FirstByte.write(before, 3);
        before.close();
        after.close();
        vendor.uninstall();
    }

    @Test
    public void a_vendor_heap_is_reached_by_its_bit_in_a_mask_and_by_requirement() throws Exception {
        Bundle vendor = framework.install(Gateway.dropIn("vendor-heap"));
        vendor.start();
        try (DmaBuf byBit = framework.broker().allocate(AllocationRequest.of(1).withMask(1L << 40));
                DmaBuf byMask =
                        framework.broker().allocate(AllocationRequest.of(1).withMask(1L << 40 | 1L));
                DmaBuf byRequirement =
                        framework.broker().allocate(AllocationRequest.of(1).withRequirement("(heap.type=acme)"))) {
            assertEquals("acme", byBit.heapName());
            assertEquals("highest priority first", "system", byMask.heapName());
            assertEquals("acme", byRequirement.heapName());
        }
        vendor.uninstall();
    }

    @Test
    public void heaps_that_arrived_before_or_after_the_broker_are_found() throws Exception {
        Bundle broker = framework.bundle(Framework.BROKER);
        broker.stop();
        ServiceRegistration<HeapExporter> before = register("before");
        broker.start();
        ServiceRegistration<HeapExporter> after = register("after");
        assertEquals(
                List.of("after", "before", "system"),
                framework.names(HeapState.SERVING).stream().sorted().toList());
        for (String heap : List.of("before", "after", "system")) {
            framework.broker().allocate(AllocationRequest.of(1).withHeaps(heap)).close();
        }
        before.unregister();
        after.unregister();
    }

    @Test
    public void of_two_heaps_with_one_name_the_first_serves_and_the_second_takes_over() {
        ServiceRegistration<HeapExporter> first = register("twin");
        ServiceRegistration<HeapExporter> second = register("twin");
        assertTrue(framework
                .heap("twin", HeapState.SHADOWED)
                .reason()
                .orElseThrow()
                .contains("its name is taken"));
        framework.broker().allocate(AllocationRequest.of(1).withHeaps("twin")).close();

        first.unregister();
        assertEquals(
                List.of("twin", "system"), framework.names(HeapState.SERVING).reversed());
        assertEquals(List.of(), framework.names(HeapState.SHADOWED));
        framework.broker().allocate(AllocationRequest.of(1).withHeaps("twin")).close();
        second.unregister();
    }

    @Test
    public void a_heap_without_a_name_is_listed_with_the_reason_and_serves_once_it_has_one() {
        ServiceRegistration<HeapExporter> heap = context.registerService(
                HeapExporter.class, request -> null, FrameworkUtil.asDictionary(Map.of(HeapProperties.ID, 13)));
        String label = framework.names(HeapState.REFUSED).getFirst();
        String reason = framework.heap(label, HeapState.REFUSED).reason().orElseThrow();
        assertTrue(reason, reason.startsWith("invalid heap.name: expected a String"));

        heap.setProperties(FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "late", HeapProperties.ID, 13)));
        assertEquals(List.of("late", "system"), framework.names(HeapState.SERVING));
        heap.unregister();
    }

    @Test
    public void a_heap_may_unregister_itself_within_its_own_allocate() {
        MemfdSource source = MemfdSource.open("leaver", Syscalls.linux(), Headroom.machine());
        List<ServiceRegistration<HeapExporter>> own = new ArrayList<>();
        own.add(context.registerService(
                HeapExporter.class,
                request -> {
                    own.getFirst().unregister();
                    return source.allocate(request);
                },
                FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "leaver"))));
        try (DmaBuf last = framework.broker().allocate(AllocationRequest.of(1).withHeaps("leaver"))) {
            FirstByte.write(last, 4);
            assertEquals(List.of("system"), framework.names(HeapState.SERVING));
        }
    }

    private ServiceRegistration<HeapExporter> register(String name) {
        return context.registerService(
                HeapExporter.class,
                MemfdSource.open(name, Syscalls.linux(), Headroom.machine()),
                FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, name)));
    }
}
