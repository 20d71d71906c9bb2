// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.dmabuf.device.v4l2.VideoDevices;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.device.DeviceFile;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.ContiguousSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.DeviceProbe.Trial;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.dmabuf.heap.spi.ProbeOutcome.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/**
 * Tests of probes with the kernel's virtual cameras: one takes memory in pieces, one needs one run, one has planes. In
 * a guest with memory above 4 GiB the kernel copies for the second camera, otherwise it refuses.
 */
class CameraConstraintsIT {
    private static final Path CACHES = Path.of("/proc/sys/vm/drop_caches");
    static final String ANY_MEMORY = "/dev/video0";
    static final String ONE_RUN = "/dev/video1";
    private static final String PLANES = "/dev/video2";
    private static final Path COUNTER = Path.of("/sys/kernel/debug/swiotlb/io_tlb_used");
    static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");

    // linux/videodev2.h
    private static final long VIDIOC_G_FMT = 0xc0d05604L;
    private static final long VIDIOC_REQBUFS = 0xc0145608L;
    private static final long VIDIOC_QBUF = 0xc058560fL;
    private static final long VIDIOC_DQBUF = 0xc0585611L;
    private static final long VIDIOC_STREAMON = 0x40045612L;
    private static final long VIDIOC_STREAMOFF = 0x40045613L;
    private static final int CAPTURE = 1;
    private static final int MMAP = 1;
    static final int DMABUF = 4;

    @TempDir
    private Path folder;

    private final BrokerParts broker = new BrokerParts();
    private final List<MemorySource> sources = new ArrayList<>();
    private VideoDevices devices;

    @BeforeAll
    static void huge_pages_are_set_aside() throws IOException {
        Files.writeString(HUGE_PAGES, "16");
    }

    /** Another class may have set a format whose frames no physical run holds. */
    @BeforeEach
    void formats_of_small_frames() {
        for (String device : List.of(ANY_MEMORY, ONE_RUN)) {
            try (Camera camera = new Camera(device)) {
                camera.format(640, 360);
            }
        }
    }

    @BeforeEach
    void heaps() {
        Syscalls linux = Syscalls.linux();
        add("system", DmaHeapSource.open("system", "system"));
        add("udmabuf", UdmabufSource.open("udmabuf"));
        add("contig", ContiguousSource.onHugePages("contig", linux, Headroom.machine()));
        devices = new VideoDevices(context());
        broker.sources.add(1, devices, "org.dmabuf.device.v4l2");
    }

    private void add(String name, MemorySource source) {
        sources.add(source);
        broker.heap(name, source, source.properties());
    }

    @AfterEach
    void close() {
        broker.close();
        sources.forEach(MemorySource::close);
    }

    private BundleContext context() {
        InvocationHandler registration = (_, method, _) -> {
            if (method.getName().equals("setProperties")) {
                broker.sources.changed();
            }
            return null;
        };
        ServiceRegistration<?> registered = (ServiceRegistration<?>) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {ServiceRegistration.class}, registration);
        File file = folder.resolve("outcomes.txt").toFile();
        return (BundleContext) Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {BundleContext.class},
                (_, method, _) -> method.getName().equals("getDataFile") ? file : registered);
    }

    private Map<String, ProbeOutcome> probe(String device) {
        Map<String, ProbeOutcome> outcomes = new TreeMap<>();
        try (Trial trial = devices.begin(device).orElseThrow()) {
            for (String heap : List.of("system", "udmabuf", "contig")) {
                try (DmaBuf buffer = broker.allocate(
                        AllocationRequest.of(trial.size()).withHeaps(heap).withName("probe"))) {
                    outcomes.put(heap, trial.attach(buffer));
                }
            }
        }
        System.out.println("probe of " + device + ": " + outcomes);
        return outcomes;
    }

    private AllocationPlan plan(String device) {
        return broker.planner.plan(
                broker.client, AllocationRequest.of(1).forDevices(device).withName("frame"));
    }

    private List<String> kinds(String device) {
        return devices.demands(device).stream()
                .map(demand -> demand.kind().name() + "=" + demand.value())
                .toList();
    }

    @Test
    void a_camera_demands_dmabufs_of_the_size_of_its_frames() {
        for (String device : List.of(ANY_MEMORY, ONE_RUN, PLANES)) {
            List<Demand> demands = devices.demands(device);
            System.out.println(demands);
            assertEquals(
                    List.of("dmabuf", "size.min"),
                    demands.stream().map(demand -> demand.kind().name()).toList());
            assertTrue(demands.getLast().value().number().getAsLong() > 4096);
        }
    }

    @Test
    void a_camera_that_takes_pieces_excludes_no_heap_and_is_left_as_it_was() {
        for (String device : List.of(ANY_MEMORY, PLANES)) {
            byte[] before = format(device);
            Set<Result> results = EnumSet.noneOf(Result.class);
            probe(device).values().forEach(outcome -> results.add(outcome.result()));
            assertEquals(EnumSet.of(Result.ACCEPTED), results);
            assertEquals(2, kinds(device).size(), () -> kinds(device).toString());
            assertEquals(3, plan(device).heaps().size());
            assertArrayEquals(before, format(device));
        }
        capture(ANY_MEMORY, plan(ANY_MEMORY));
    }

    @Test
    void a_camera_that_needs_one_run_gets_it_after_the_probe() {
        Assumptions.assumeFalse(
                Files.exists(COUNTER), "skipped: the kernel copies in this guest; kernel/run -m 2560 -c ...");
        assertEquals(3, plan(ONE_RUN).heaps().size());
        Map<String, ProbeOutcome> outcomes = probe(ONE_RUN);
        assertEquals(ProbeOutcome.refused("PREPARE_BUF", Errno.EFAULT.number()), outcomes.get("system"));
        assertEquals(ProbeOutcome.accepted(false), outcomes.get("contig"));
        // A buffer of udmabuf can be one large folio by chance, and the device then accepts it. Its heap does not
        // guarantee that, so sg=contiguous excludes it in both cases.
        assertEquals(outcomes.get("udmabuf").isLasting(), kinds(ONE_RUN).contains("not-heap=udmabuf"));
        assertTrue(kinds(ONE_RUN).containsAll(List.of("not-heap=system", "sg=contiguous")));
        assertEquals(List.of("contig"), plan(ONE_RUN).heaps());
        capture(ONE_RUN, plan(ONE_RUN));
        assertTrue(devices.forget(ONE_RUN) >= 2);
        assertEquals(3, plan(ONE_RUN).heaps().size());
    }

    @Test
    void a_copy_of_the_kernel_excludes_the_heap() throws IOException {
        Assumptions.assumeTrue(Files.exists(COUNTER), "skipped: the kernel refuses in this guest instead");
        Files.writeString(CACHES, "3"); // the kernel prefers memory above 4 GiB while some is free
        Map<String, ProbeOutcome> outcomes = probe(ONE_RUN);
        Assumptions.assumeTrue(
                outcomes.values().stream().noneMatch(outcome -> outcome.result() == Result.REFUSED),
                "skipped: the kernel gave memory within the camera's reach");
        long frame = plan(ANY_MEMORY).size();
        assertEquals(Result.BOUNCED, outcomes.get("system").result());
        assertTrue(outcomes.get("system").bouncedBytes().getAsLong() >= frame / 2);
        outcomes.forEach((heap, outcome) ->
                assertEquals(outcome.result() == Result.BOUNCED, kinds(ONE_RUN).contains("not-heap=" + heap), heap));
        assertFalse(kinds(ONE_RUN).contains("sg=contiguous"), "the kernel's copy says nothing about the device");
        if (outcomes.get("contig").result() == Result.ACCEPTED) {
            assertEquals(List.of("contig"), plan(ONE_RUN).heaps());
        } else {
            HeapException refusal = assertThrows(HeapRefusedException.class, () -> plan(ONE_RUN));
            List<Demand> obstacles = refusal.conflict().orElseThrow().demands();
            assertTrue(obstacles.stream().anyMatch(demand -> isNotHeap(demand, "contig")), obstacles::toString);
        }
    }

    private static boolean isNotHeap(Demand demand, String heap) {
        return demand.kind().equals(ConstraintKind.NOT_HEAP)
                && demand.value().toString().equals(heap);
    }

    @Test
    void a_camera_in_use_is_not_probed_and_goes_on() {
        try (DeviceFile user = DeviceFile.open(ONE_RUN)) {
            assertEquals(0, request(user, 2, MMAP));
            HeapException busy = assertThrows(HeapException.class, () -> devices.begin(ONE_RUN));
            assertEquals(Errno.EBUSY, busy.errno());
            assertEquals(0, request(user, 0, MMAP));
        }
        devices.begin(ONE_RUN).orElseThrow().close();
    }

    static byte[] format(String device) {
        try (DeviceFile file = DeviceFile.open(device);
                Arena arena = Arena.ofConfined()) {
            MemorySegment format = arena.allocate(208, 8);
            format.set(JAVA_INT, 0, device.equals(PLANES) ? 9 : CAPTURE);
            assertEquals(0, file.ioctl(VIDIOC_G_FMT, format));
            return format.toArray(JAVA_BYTE);
        }
    }

    static int request(DeviceFile device, int count, int memory) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = arena.allocate(20, 8);
            request.set(JAVA_INT, 0, count);
            request.set(JAVA_INT, 4, CAPTURE);
            request.set(JAVA_INT, 8, memory);
            return device.ioctl(VIDIOC_REQBUFS, request);
        }
    }

    /** Captures 30 frames into buffers of a plan. */
    private static void capture(String path, AllocationPlan plan) {
        List<DmaBuf> frames = plan.allocate(4);
        List<OwnedFd> exports = new ArrayList<>();
        try (DeviceFile device = DeviceFile.open(path);
                Arena arena = Arena.ofConfined()) {
            assertEquals(0, request(device, frames.size(), DMABUF));
            MemorySegment buffer = arena.allocate(88, 8);
            for (int i = 0; i < frames.size(); i++) {
                exports.add(frames.get(i).exportFd());
                queue(device, buffer, i, exports.get(i).fd());
            }
            MemorySegment type = arena.allocate(JAVA_INT);
            type.set(JAVA_INT, 0, CAPTURE);
            assertEquals(0, device.ioctl(VIDIOC_STREAMON, type));
            for (int frame = 0; frame < 30; frame++) {
                assertTrue((device.poll(DeviceFile.POLLIN, 60_000) & DeviceFile.POLLIN) != 0, "frame " + frame);
                buffer.fill((byte) 0);
                buffer.set(JAVA_INT, 4, CAPTURE);
                buffer.set(JAVA_INT, 60, DMABUF);
                assertEquals(0, device.ioctl(VIDIOC_DQBUF, buffer));
                int index = buffer.get(JAVA_INT, 0);
                MemorySegment pixels = frames.get(index).map(Access.READ, arena);
                assertTrue(pixels.mismatch(MemorySegment.ofArray(new byte[4096])) >= 0, "an empty frame");
                queue(device, buffer, index, exports.get(index).fd());
            }
            assertEquals(0, device.ioctl(VIDIOC_STREAMOFF, type));
            assertEquals(0, request(device, 0, DMABUF));
        } finally {
            exports.forEach(OwnedFd::close);
            frames.forEach(DmaBuf::close);
        }
    }

    private static void queue(DeviceFile device, MemorySegment buffer, int index, int fd) {
        buffer.fill((byte) 0);
        buffer.set(JAVA_INT, 0, index);
        buffer.set(JAVA_INT, 4, CAPTURE);
        buffer.set(JAVA_INT, 60, DMABUF);
        buffer.set(JAVA_INT, 64, fd);
        assertEquals(0, device.ioctl(VIDIOC_QBUF, buffer));
    }
}
