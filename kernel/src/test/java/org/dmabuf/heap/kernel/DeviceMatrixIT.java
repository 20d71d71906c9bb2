// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.dmabuf.device.v4l2.VideoDevices;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.source.ContiguousSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Comparison of the broker's verdict on each kind of memory with that of the kernel, for a camera that takes any memory
 * and one that takes a single run below 4 GiB. The verdict is compared twice: with demands of a configuration, and with
 * the demands that a probe adds. The results differ between a guest with all memory below 4 GiB
 * ({@code kernel/run -m 2560}) and one with memory above.
 */
class DeviceMatrixIT {
    private static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
    private static final Path LARGEST_PAGES = Path.of("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages");
    private static final Path LARGE_FOLIOS = Path.of("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    private static final long FRAMES_BELOW_4_GIB = 1L << 32 - 12;
    /** Least bytes of a buffer that lies in a large folio. */
    private static final long FOLIO = 2 << 20;

    private static final long MIB = 1 << 20;
    private static final long GIB = 1 << 30;

    private static final String HEAP = "memory";
    private static final String SCATTERING = "/dev/video0";
    private static final String CONTIGUOUS = "/dev/video1";
    private static final List<Demand> CONFIGURED = List.of(
            Demand.parse(SCATTERING + " dmabuf=true"),
            Demand.parse(CONTIGUOUS + " dmabuf=true"),
            Demand.parse(CONTIGUOUS + " sg=contiguous"),
            Demand.parse(CONTIGUOUS + " address=32bit"));

    private enum BackEnd {
        SYSTEM_HEAP,
        CONTIGUOUS_HEAP,
        UDMABUF_SMALL_PAGES,
        UDMABUF_LARGE_FOLIOS,
        HUGE_PAGE,
        LARGE_FOLIO,
        REGION_SMALL_PAGES,
        REGION_HUGE_PAGES,
        REGION_ONE_PAGE,
        MEMFD;

        boolean isPresent() throws IOException {
            return switch (this) {
                case CONTIGUOUS_HEAP -> Files.exists(Path.of(DmaHeapSource.FOLDER + "reserved"));
                case REGION_ONE_PAGE -> !Files.readString(LARGEST_PAGES).strip().equals("0");
                default -> true;
            };
        }

        MemorySource open() {
            String heap = name().toLowerCase(Locale.ROOT).replace('_', '-');
            Syscalls linux = Syscalls.linux();
            Headroom headroom = Headroom.machine();
            return switch (this) {
                case SYSTEM_HEAP -> DmaHeapSource.open(heap, "system", linux, headroom);
                case CONTIGUOUS_HEAP -> DmaHeapSource.openContiguous(heap, "reserved", linux);
                case UDMABUF_SMALL_PAGES, UDMABUF_LARGE_FOLIOS -> UdmabufSource.open(heap, linux, headroom);
                case HUGE_PAGE -> ContiguousSource.onHugePages(heap, linux, headroom);
                case LARGE_FOLIO -> ContiguousSource.inLargeFolios(heap, linux, headroom);
                case REGION_SMALL_PAGES -> RegionSource.open(heap, region(16 * MIB), linux, headroom);
                case REGION_HUGE_PAGES ->
                    RegionSource.open(heap, region(16 * MIB).withPageSize(2 * MIB), linux, headroom);
                case REGION_ONE_PAGE -> RegionSource.open(heap, region(GIB).withPageSize(GIB), linux, headroom);
                case MEMFD -> MemfdSource.open(heap, linux, headroom);
            };
        }

        private static RegionLayout region(long size) {
            return RegionLayout.of(size, "size").withExports(RegionLayout.Exports.UDMABUF);
        }
    }

    @BeforeAll
    static void huge_pages_are_set_aside() throws IOException {
        Files.writeString(HUGE_PAGES, "32");
    }

    static Stream<Arguments> cases() {
        return Arrays.stream(BackEnd.values())
                .flatMap(kind -> Stream.of(SCATTERING, CONTIGUOUS)
                        .flatMap(camera -> Stream.of(
                                Arguments.of(kind, camera, 640, 480), Arguments.of(kind, camera, 1920, 1080))));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void the_broker_offers_a_heap_exactly_if_the_camera_takes_its_memory_without_a_copy(
            BackEnd kind, String node, int width, int height) throws IOException {
        assumeTrue(kind.isPresent(), "skipped: this guest has no such memory");
        String before = word(LARGE_FOLIOS);
        Files.writeString(LARGE_FOLIOS, kind == BackEnd.UDMABUF_SMALL_PAGES ? "deny" : before);
        try (MemorySource source = kind.open();
                BrokerParts broker = new BrokerParts()) {
            Map<String, Object> properties = new HashMap<>(source.properties());
            if (kind == BackEnd.CONTIGUOUS_HEAP) {
                properties.put(HeapProperties.CONTIGUOUS, true); // as heap-cma does
            }
            broker.heap(HEAP, source, properties);
            compare(kind, node, width, height, broker, source);
        } finally {
            Files.writeString(LARGE_FOLIOS, before);
        }
    }

    private static void compare(
            BackEnd kind, String node, int width, int height, BrokerParts broker, MemorySource source)
            throws IOException {
        long size;
        Camera.Answer answer;
        Optional<Boolean> good;
        try (Camera camera = new Camera(node)) {
            int frame = camera.format(width, height);
            size = kind == BackEnd.UDMABUF_LARGE_FOLIOS ? Math.max(frame, FOLIO) : frame;
            HeapBuffer buffer = source.allocate(HeapRequest.of(size));
            try {
                answer = camera.prepare(buffer.descriptor());
                good = isGoodForDma(kind, buffer);
            } finally {
                buffer.release();
            }
        } catch (HeapException e) {
            assertEquals(Errno.ENOMEM, e.errno(), e.getMessage());
            report(kind, node, height, "no buffer", Optional.empty(), false, false);
            broker.sources.add(1, DeviceMatrixIT::configured, "org.example.cameras");
            assertFalse(isOffered(broker, node, width * height * 2L));
            return;
        }
        broker.sources.add(1, DeviceMatrixIT::configured, "org.example.cameras");
        boolean offered = isOffered(broker, node, size);
        broker.sources.remove(1);
        broker.sources.add(1, DeviceMatrixIT::withoutAddress, "org.example.cameras");
        boolean offeredAnywhere = isOffered(broker, node, size);
        broker.sources.remove(1);
        boolean offeredAfterProbe = isOfferedAfterProbe(broker, node, size);
        report(kind, node, height, answer.toString(), good, offered, offeredAfterProbe);
        assertEquals(isPromised(kind, node, size) && isInReach(node), offered, "as configured");
        assertEquals(isPromised(kind, node, size), offeredAnywhere, "as configured, without the address");
        // Memory can be good by chance, which a heap does not promise for its next buffer.
        boolean byChance = !offered && node.equals(CONTIGUOUS) && kind != BackEnd.MEMFD;
        assertEquals(offered || byChance && good.orElse(answer.isZeroCopy()), answer.isZeroCopy(), "for the kernel");
        if (!byChance) { // otherwise the probe's buffer can differ from this one
            assertEquals(answer.isZeroCopy(), offeredAfterProbe, "after the probe");
        }
        // The answer follows from the memory, so the comparison does not pass by an error of the test.
        if (kind == BackEnd.MEMFD) {
            assertEquals("EINVAL", answer.toString());
        } else if (kind == BackEnd.SYSTEM_HEAP && node.equals(CONTIGUOUS) && !answer.isZeroCopy()) {
            // Pages within the camera's reach are refused with EFAULT, because they are several entries. Pages above it
            // are copied, or refused with EINVAL if an entry is larger than a copy can be.
            boolean above = Camera.canBeCopied() && (answer.errno() == Errno.EINVAL.number() || answer.slots() > 0);
            assertTrue(above || answer.errno() == Errno.EFAULT.number(), answer::toString);
        } else if (node.equals(SCATTERING) || good.orElse(false)) {
            assertEquals("ok", answer.toString());
        }
    }

    /** {@return whether each buffer of this size is one that the camera takes at any address} */
    private static boolean isPromised(BackEnd kind, String node, long size) {
        if (node.equals(SCATTERING)) {
            return kind != BackEnd.MEMFD;
        }
        return switch (kind) {
            case CONTIGUOUS_HEAP, HUGE_PAGE, LARGE_FOLIO, REGION_ONE_PAGE -> true;
            case REGION_HUGE_PAGES -> size <= 2 * MIB;
            case SYSTEM_HEAP, UDMABUF_SMALL_PAGES, UDMABUF_LARGE_FOLIOS, REGION_SMALL_PAGES, MEMFD -> false;
        };
    }

    /** {@return whether the camera reaches all memory of the machine; heaps know no closer bound of their addresses} */
    private static boolean isInReach(String node) {
        return node.equals(SCATTERING) || !Camera.canBeCopied();
    }

    private static List<Demand> withoutAddress(String device) {
        return configured(device).stream()
                .filter(demand -> !demand.kind().equals(ConstraintKind.ADDRESS))
                .toList();
    }

    private static List<Demand> configured(String device) {
        return CONFIGURED.stream().filter(demand -> demand.who().equals(device)).toList();
    }

    private static boolean isOffered(BrokerParts broker, String camera, long size) {
        try {
            broker.planner.plan(broker.client, AllocationRequest.of(size).forDevices(camera));
            return true;
        } catch (HeapRefusedException e) {
            return false;
        }
    }

    private static boolean isOfferedAfterProbe(BrokerParts broker, String camera, long size) {
        VideoDevices devices = new VideoDevices(ProbeContext.of(broker.sources::changed));
        broker.sources.add(2, devices, "org.dmabuf.device.v4l2");
        try (DeviceProbe.Trial trial = devices.begin(camera).orElseThrow();
                DmaBuf buffer = broker.allocate(AllocationRequest.of(size).withHeaps(HEAP))) {
            ProbeOutcome outcome = trial.attach(buffer);
            boolean offered = isOffered(broker, camera, size);
            assertEquals(outcome.result() == ProbeOutcome.Result.ACCEPTED, offered, outcome::toString);
            return offered;
        }
    }

    /** {@return whether the memory is one run below 4 GiB; empty if the kernel hides the frames of its heaps} */
    private static Optional<Boolean> isGoodForDma(BackEnd kind, HeapBuffer buffer) throws IOException {
        if (kind == BackEnd.SYSTEM_HEAP || kind == BackEnd.CONTIGUOUS_HEAP) {
            return Optional.empty();
        }
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.fill((byte) 1); // all pages are present
        long[] frames = Frames.of(mapping);
        boolean good = true;
        for (int page = 0; page < frames.length; page++) {
            good &= frames[page] == frames[0] + page && frames[page] < FRAMES_BELOW_4_GIB;
        }
        return Optional.of(good);
    }

    /** Adds a line to the guest's console, from which a table can be made. */
    private static void report(
            BackEnd kind, String camera, int height, String answer, Optional<Boolean> good, boolean... offered) {
        String memory = good.map(yes -> yes ? "one run below 4 GiB" : "several or above")
                .orElse("not shown");
        System.out.printf(
                "matrix | %-20s | %s | %4d | %-14s | %-19s | %-5s | %-5s%n",
                kind, camera, height, answer, memory, offered[0], offered[1]);
    }

    private static String word(Path setting) throws IOException {
        return Files.readString(setting).replaceAll("(?s).*\\[(.*)].*", "$1");
    }
}
