// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import javax.inject.Inject;
import org.apache.felix.service.command.CommandProcessor;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapState;
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

/** Tests of a camera that allocates its frames from a carveout, and from the system heap when the carveout is full. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class CarveoutIT {
    private static final long FRAME = 3840 * 2160 * 3 / 2; // NV12
    private static final int FRAMES = 12;
    private static final int SET_ASIDE = 8;

    @Inject
    private BundleContext context;

    @Inject
    private ConfigurationAdmin configurations;

    private Framework framework;
    private org.osgi.service.cm.Configuration camera;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Before
    public void a_carveout_for_some_of_the_frames() throws Exception {
        framework = new Framework(context);
        camera = configurations.getFactoryConfiguration("org.dmabuf.heap.carveout", "camera", "?");
        configure("96M");
        Framework.await(true, () -> framework.names(HeapState.SERVING).contains("camera"));
    }

    private void configure(String size) throws Exception {
        camera.update(FrameworkUtil.asDictionary(Map.of("size", size, "exports", "memfd")));
    }

    @After
    public void nothing_is_left() throws Exception {
        camera.delete();
        Framework.await(false, () -> framework.names(HeapState.SERVING).contains("camera"));
        Framework.await(
                0L,
                () -> framework.broker().heaps().stream()
                        .mapToLong(heap -> heap.charged().liveBuffers())
                        .sum());
    }

    private static AllocationRequest frame() {
        return AllocationRequest.of(FRAME).withHeaps("camera", "system").withName("frame");
    }

    @Test
    public void twelve_frames_come_from_the_carveout_and_then_from_the_system_heap_in_one_request_each() {
        for (ExportMode export : List.of(ExportMode.NONE, ExportMode.READ_WRITE)) {
            List<DmaBuf> frames = new ArrayList<>();
            try {
                for (int i = 0; i < FRAMES; i++) {
                    frames.add(framework
                            .broker()
                            .allocate(frame().withExport(export).withRequirement("(heap.export.readonly=true)")));
                }
                List<String> heaps = frames.stream().map(DmaBuf::heapName).toList();
                assertEquals(Collections.nCopies(SET_ASIDE, "camera"), heaps.subList(0, SET_ASIDE));
                assertEquals(Collections.nCopies(FRAMES - SET_ASIDE, "system"), heaps.subList(SET_ASIDE, FRAMES));
                frames.forEach(frame -> FirstByte.write(frame, 1));
            } finally {
                frames.forEach(DmaBuf::close);
            }
        }
    }

    @Test
    public void a_request_that_the_system_heap_cannot_meet_fails_when_the_carveout_is_full_with_each_heaps_reason() {
        List<DmaBuf> frames = new ArrayList<>();
        try {
            AllocationRequest request = frame().withExport(ExportMode.NONE).withRequirement("(heap.type=carveout)");
            for (int i = 0; i < SET_ASIDE; i++) {
                frames.add(framework.broker().allocate(request));
            }
            HeapException full =
                    assertThrows(HeapException.class, () -> framework.broker().allocate(request));
            assertEquals(Errno.ENOMEM, full.errno());
            assertEquals(
                    List.of("camera", "system"),
                    full.attempts().stream().map(Attempt::heap).toList());
            assertTrue(
                    full.getMessage(),
                    full.getMessage().contains("raise size in org.dmabuf.heap.carveout~camera or close a buffer"));
        } finally {
            frames.forEach(DmaBuf::close);
        }
    }

    @Test
    public void a_changed_size_is_another_region_while_the_old_one_lives_with_its_buffers() throws Exception {
        DmaBuf old = framework.broker().allocate(frame().withExport(ExportMode.NONE));
        FirstByte.write(old, 1);
        configure("32M");
        Framework.await(
                32L << 20,
                () -> framework.broker().heaps().stream()
                        .filter(heap -> heap.name().equals("camera") && heap.state() == HeapState.SERVING)
                        .mapToLong(heap -> heap.usage().capacity().orElse(0))
                        .sum());
        try (DmaBuf fresh = framework.broker().allocate(frame().withExport(ExportMode.NONE))) {
            assertEquals("camera", fresh.heapName());
            FirstByte.write(old, 2);
        }
        old.close();
    }

    @Test
    public void the_example_reports_the_heaps_of_its_frames_and_releases_all() throws Exception {
        Bundle example = framework.install(Gateway.dropIn("camera"));
        try {
            example.start();
            String given = " of 12 frames of 12441600 bytes, the first mapped after \\d+ us";
            String both = "from camera, system: camera 8, system 4" + given + "\nfrom system: system 12" + given;
            for (String command : List.of(
                    "example:camera",
                    "example:camera -r '(heap.export.readonly=true)'",
                    "example:camera --private",
                    "example:camera -p -r '(heap.type=*)'")) {
                String said = gogo(command);
                System.out.println(said);
                assertTrue(said, said.matches(both));
                Framework.await(0L, () -> framework.charged("camera") + framework.charged("system"));
            }
            // The system heap has a shortage, so the fallback is refused, and the frames so far are released.
            String refused = assertThrows(Exception.class, () -> gogo("example:camera -r '(heap.type=carveout)'"))
                    .toString();
            assertTrue(refused, refused.contains("raise size in org.dmabuf.heap.carveout~camera or close a buffer"));
            Framework.await(0L, () -> framework.charged("camera") + framework.charged("system"));
        } finally {
            example.uninstall();
        }
    }

    private String gogo(String command) throws Exception {
        var processor = context.getService(context.getServiceReference(CommandProcessor.class));
        try (CommandSession session = processor.createSession(
                InputStream.nullInputStream(), OutputStream.nullOutputStream(), OutputStream.nullOutputStream())) {
            return (String) session.execute(command);
        }
    }
}
