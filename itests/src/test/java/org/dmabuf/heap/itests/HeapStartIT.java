// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import javax.inject.Inject;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
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
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.condition.Condition;

/** Tests of heaps that start or fail to start: the listing for the operator, and the conditions for components. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class HeapStartIT {
    private static final String CAMERA = "(&(osgi.condition.id=dmabuf.heap)(heap.name=camera))";

    @Inject
    private BundleContext context;

    @Inject
    private ConfigurationAdmin configurations;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    private static void configure(org.osgi.service.cm.Configuration camera, String size) throws Exception {
        camera.update(FrameworkUtil.asDictionary(Map.of("size", size, "exports", "memfd")));
    }

    private int conditions() throws Exception {
        return context.getServiceReferences(Condition.class, CAMERA).size();
    }

    @Test
    public void a_heap_whose_configuration_is_wrong_is_listed_with_the_reason_and_serves_when_it_is_right()
            throws Exception {
        Framework framework = new Framework(context);
        org.osgi.service.cm.Configuration camera =
                configurations.getFactoryConfiguration("org.dmabuf.heap.carveout", "camera", "?");
        try {
            configure(camera, "much");
            Framework.await(true, () -> framework.names(HeapState.FAILED).contains("camera"));
            String reason = framework.heap("camera", HeapState.FAILED).reason().orElseThrow();
            assertTrue(reason, reason.contains("invalid size = much in org.dmabuf.heap.carveout~camera: expected"));
            assertTrue(reason, reason.contains("configuration org.dmabuf.heap.carveout~camera"));
            assertEquals(0, conditions());

            configure(camera, "1M");
            Framework.await(true, () -> framework.names(HeapState.SERVING).contains("camera"));
            assertFalse(framework.names(HeapState.FAILED).contains("camera"));
            Framework.await(1, this::conditions);
            ServiceReference<Condition> condition = context.getServiceReferences(Condition.class, CAMERA)
                    .iterator()
                    .next();
            assertEquals("carveout", condition.getProperty(HeapProperties.TYPE));
        } finally {
            camera.delete();
        }
        Framework.await(false, () -> framework.names(HeapState.SERVING).contains("camera"));
        Framework.await(0, this::conditions);
    }

    @Test
    public void the_file_of_a_configuration_that_is_wrong_is_named() throws Exception {
        Framework framework = new Framework(context);
        Path file = Path.of(System.getProperty("gateway.etc")).resolve("org.dmabuf.heap.carveout-wrong.cfg");
        try {
            Files.writeString(file, "size = much\n");
            Framework.await(true, () -> framework.names(HeapState.FAILED).contains("wrong"));
            String reason = framework.heap("wrong", HeapState.FAILED).reason().orElseThrow();
            assertTrue(reason, reason.contains("file " + file));
        } finally {
            Files.deleteIfExists(file);
        }
        Framework.await(false, () -> framework.names(HeapState.FAILED).contains("wrong"));
    }

    @Test
    public void a_component_that_failed_is_listed_with_the_reason_that_declarative_services_keeps() throws Exception {
        Framework framework = new Framework(context);
        Bundle vendor = framework.start(TestBundle.failingHeap());
        try {
            Framework.await(true, () -> framework.names(HeapState.FAILED).contains("slot"));
            HeapInfo failed = framework.heap("slot", HeapState.FAILED);
            String reason = failed.reason().orElseThrow();
            assertTrue(reason, reason.contains("the card is not in its slot"));
            assertEquals("org.example.failing", failed.bundle());
            assertEquals(
                    "listed once",
                    1,
                    framework.heaps().stream()
                            .filter(heap -> heap.bundle().equals("org.example.failing"))
                            .count());
        } finally {
            vendor.uninstall();
        }
        Framework.await(
                0L,
                () -> framework.heaps().stream()
                        .filter(heap -> heap.bundle().equals("org.example.failing"))
                        .count());
    }

    @Test
    public void a_component_waits_for_the_condition_of_the_system_heap() throws Exception {
        Framework.await(
                1,
                () -> context.getServiceReferences(
                                Condition.class, "(&(osgi.condition.id=dmabuf.heap)(heap.type=system))")
                        .size());
    }

    /** A heap with too little memory until it is trimmed. */
    private static final class Hoarder implements HeapExporter {
        final AtomicReference<String> trimmedBy = new AtomicReference<>();
        volatile long wanted;

        @Override
        public HeapBuffer allocate(HeapRequest request) {
            if (trimmedBy.get() == null) {
                throw HeapException.of(Errno.ENOMEM, "hoarder", "all its memory is in its pool");
            }
            throw HeapException.of(Errno.ENOTSUP, "hoarder", "asked again after the trim");
        }

        @Override
        public long trim(long bytes) {
            wanted = bytes;
            trimmedBy.set(Thread.currentThread().getName());
            return bytes;
        }
    }

    @Test
    public void a_heap_is_trimmed_on_a_thread_of_the_broker_when_a_request_finds_too_little_memory() throws Exception {
        Framework framework = new Framework(context);
        Hoarder hoarder = new Hoarder();
        ServiceRegistration<HeapExporter> registration = context.registerService(
                HeapExporter.class, hoarder, FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "hoarder")));
        try {
            Framework.await(true, () -> framework.names(HeapState.SERVING).contains("hoarder"));
            AllocationRequest request = AllocationRequest.of(8192).withHeaps("hoarder");
            HeapException refusal =
                    assertThrows(HeapException.class, () -> framework.broker().allocate(request));
            assertEquals(Errno.ENOTSUP, refusal.errno());
            assertEquals(8192, hoarder.wanted);
            assertEquals("dmaheap-reaper", hoarder.trimmedBy.get());
        } finally {
            registration.unregister();
        }
    }

    @Test
    public void a_shortage_and_a_refusal_differ_by_the_class_of_the_exception() throws Exception {
        Framework framework = new Framework(context);
        ServiceRegistration<HeapExporter> registration = context.registerService(
                HeapExporter.class,
                request -> {
                    throw HeapException.of(Errno.ENOMEM, "short", "it has no memory");
                },
                FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "short")));
        try {
            Framework.await(true, () -> framework.names(HeapState.SERVING).contains("short"));
            AllocationRequest request = AllocationRequest.of(1).withHeaps("short");
            assertThrows(HeapShortageException.class, () -> framework.broker().allocate(request));
            try (DmaBuf served = framework.broker().allocate(request.withHeaps("short", "system"))) {
                assertEquals("system", served.heapName());
            }
        } finally {
            registration.unregister();
        }
    }
}
