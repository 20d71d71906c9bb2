// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.v4l2;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.probe.FakeSysfs;
import org.dmabuf.heap.spi.DeviceDemands;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.DeviceProbe.Trial;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

class VideoDevicesTest {
    private static final String DEVICE = "/dev/video0";
    private static final String COUNTER = "sys/kernel/debug/swiotlb/io_tlb_used";
    private static final int EFAULT = Errno.EFAULT.number();

    @TempDir
    private Path root;

    private FakeSysfs sysfs;
    private final FakeDriver driver = new FakeDriver();
    private final AtomicInteger exported = new AtomicInteger();
    private Dictionary<?, ?> announced;
    private List<?> services = List.of();

    @BeforeEach
    void camera() {
        sysfs = new FakeSysfs(root).withVideo("vivid");
    }

    @AfterEach
    void nothing_stays_open() {
        assertEquals(0, driver.open, "descriptors");
        assertEquals(0, driver.entries, "entries for buffers");
        assertEquals(0, exported.get(), "exports");
    }

    private VideoDevices devices() {
        ServiceRegistration<?> registration = fake(
                ServiceRegistration.class,
                Map.of(
                        "setProperties",
                        arguments -> {
                            announced = (Dictionary<?, ?>) arguments[0];
                            return null;
                        },
                        "unregister",
                        _ -> {
                            services = List.of();
                            return null;
                        }));
        BundleContext context = fake(
                BundleContext.class,
                Map.of(
                        "getDataFile",
                        arguments -> root.resolve((String) arguments[0]).toFile(),
                        "registerService",
                        arguments -> {
                            services = Arrays.asList((Object[]) arguments[0]);
                            announced = (Dictionary<?, ?>) arguments[2];
                            return registration;
                        }));
        return new VideoDevices(context, root, driver.syscalls());
    }

    private interface Answer {
        Object to(Object... arguments);
    }

    private static <T> T fake(Class<T> type, Map<String, Answer> answers) {
        return type.cast(
                Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (_, method, arguments) -> {
                    if (!answers.containsKey(method.getName())) {
                        throw new AssertionError(method);
                    }
                    return answers.get(method.getName()).to(arguments);
                }));
    }

    /** Makes a buffer of a heap whose descriptor has a number of its own. */
    private DmaBuf buffer(String heap, int fd, Map<String, Object> facts) {
        Map<String, Object> properties = new java.util.HashMap<>(facts);
        properties.put(HeapProperties.DMABUF, true);
        return fake(
                DmaBuf.class,
                Map.of(
                        "size", _ -> 614_400L,
                        "heapName", _ -> heap,
                        "heapProperties", _ -> properties,
                        "exportFd",
                                _ -> {
                                    exported.incrementAndGet();
                                    return OwnedFd.of(fd, _ -> exported.decrementAndGet());
                                }));
    }

    private DmaBuf buffer() {
        return buffer("system", 5, Map.of());
    }

    private static List<String> texts(List<Demand> demands) {
        return demands.stream().map(Demand::toString).toList();
    }

    @Test
    void a_camera_demands_dmabufs_of_its_present_size() {
        assertEquals(
                List.of(
                        "/dev/video0 dmabuf=true its driver imports dma-bufs",
                        "/dev/video0 size.min=600K present format 640x480 YUYV"),
                texts(devices().demands(DEVICE)));
        assertFalse(driver.calls.contains(VideoDevice.VIDIOC_REQBUFS), "it makes no buffers");
        assertEquals(List.of(DeviceDemands.class.getName(), DeviceProbe.class.getName()), services);
    }

    @Test
    void each_plane_has_a_buffer_and_the_largest_decides() {
        driver.capabilities = 0x1000 | VideoDevice.CAP_STREAMING;
        driver.queue = 9;
        driver.planes = 2;
        assertEquals(
                "/dev/video0 size.min=600K present format 640x480 YUYV in 2 planes",
                texts(devices().demands(DEVICE)).getLast());
        try (Trial trial = devices().begin(DEVICE).orElseThrow()) {
            assertEquals(614_400, trial.size());
            assertEquals(ProbeOutcome.accepted(false), trial.attach(buffer()));
        }
        assertEquals(List.of(5), driver.prepared);
    }

    @Test
    void the_format_of_a_device_that_transforms_video_is_no_demand() {
        driver.capabilities = 0x4000 | VideoDevice.CAP_STREAMING;
        driver.queue = 9;
        driver.second = 10;
        assertEquals(
                List.of("/dev/video0 dmabuf=true its driver imports dma-bufs"),
                texts(devices().demands(DEVICE)));
        driver.capabilities = 0x2 | VideoDevice.CAP_STREAMING;
        driver.queue = 2;
        assertEquals(2, devices().demands(DEVICE).size(), "an output");
    }

    @ParameterizedTest
    @CsvSource({"0x1,5", "0x4000001,1"})
    void a_driver_without_import_contradicts_every_request(String capabilities, int ofBuffers) {
        driver.capabilities = Integer.decode(capabilities);
        driver.bufferCapabilities = ofBuffers;
        assertEquals(
                List.of("/dev/video0 size.max=0 its driver imports no dma-bufs; use the device's own memory,"
                        + " V4L2_MEMORY_MMAP"),
                texts(devices().demands(DEVICE)));
        HeapException refusal =
                assertThrows(HeapException.class, () -> devices().begin(DEVICE));
        assertEquals(Errno.ENOTSUP, refusal.errno());
    }

    @Test
    void a_driver_that_refuses_the_kind_of_memory_does_not_import() {
        driver.failing(VideoDevice.VIDIOC_CREATE_BUFS, Errno.EINVAL);
        assertEquals("0", devices().demands(DEVICE).getFirst().value().toString());
    }

    @Test
    void a_driver_without_create_bufs_is_asked_by_a_request_of_no_buffers() {
        driver.failing(VideoDevice.VIDIOC_CREATE_BUFS, Errno.ENOTTY);
        assertEquals(2, devices().demands(DEVICE).size());
        driver.bufferCapabilities = 1;
        assertEquals(1, devices().demands(DEVICE).size());
        driver.inUse = Errno.EBUSY.number();
        assertEquals(2, devices().demands(DEVICE).size(), "a program that has set the format can still plan");
    }

    @Test
    void other_devices_are_not_known_and_not_opened() {
        assertEquals(List.of(), devices().demands("/dev/video9"));
        assertTrue(devices().begin("/dev/video9").isEmpty());
        assertEquals(0, devices().forget("/dev/video9"));
        assertEquals(List.of(), driver.calls);
        driver.capabilities = 0x10 | VideoDevice.CAP_STREAMING; // teletext
        assertEquals(List.of(), devices().demands(DEVICE));
        assertTrue(devices().begin(DEVICE).isEmpty());
    }

    @ParameterizedTest
    @CsvSource({"EACCES,an ACL (setfacl in a udev rule)", "EBUSY,end the process that has the device open"})
    void a_device_that_cannot_be_opened_is_refused_with_the_remedy(Errno errno, String remedy) {
        driver.failing(0, errno);
        for (HeapException refusal : List.of(
                assertThrows(HeapException.class, () -> devices().demands(DEVICE)),
                assertThrows(HeapException.class, () -> devices().begin(DEVICE)))) {
            assertEquals(errno, refusal.errno());
            assertTrue(refusal.getMessage().contains(remedy), refusal.getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {VideoDevice.VIDIOC_QUERYCAP, VideoDevice.VIDIOC_G_FMT, VideoDevice.VIDIOC_CREATE_BUFS})
    void a_device_that_vanishes_meanwhile_is_a_failure(long ioctl) {
        driver.failing(ioctl, Errno.ENODEV);
        HeapException gone = assertThrows(HeapException.class, () -> devices().demands(DEVICE));
        assertEquals(Errno.ENODEV, gone.errno());
        assertTrue(gone.getMessage().endsWith(" of /dev/video0 failed: no such device; connect the device again"));
        assertThrows(HeapException.class, () -> devices().begin(DEVICE));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 9, 255})
    void an_impossible_number_of_planes_is_refused(int planes) {
        driver.capabilities = 0x1000 | VideoDevice.CAP_STREAMING;
        driver.queue = 9;
        driver.planes = planes;
        HeapException rubbish =
                assertThrows(HeapException.class, () -> devices().demands(DEVICE));
        assertEquals(
                "VIDIOC_G_FMT of /dev/video0 failed: the driver answered with a format of " + planes
                        + " planes; report that to its vendor",
                rubbish.getMessage());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 0x40000001L, 0xffffffffL})
    void no_heap_is_asked_for_an_absurd_size(long size) {
        driver.size = size;
        HeapException rubbish =
                assertThrows(HeapException.class, () -> devices().begin(DEVICE));
        assertEquals(Errno.EIO, rubbish.errno());
        assertTrue(rubbish.getMessage().contains("a buffer of " + size + " bytes"), rubbish.getMessage());
    }

    @Test
    void a_device_in_use_is_not_probed() {
        driver.inUse = Errno.EBUSY.number();
        HeapException busy = assertThrows(HeapException.class, () -> devices().begin(DEVICE));
        assertEquals(Errno.EBUSY, busy.errno());
        assertEquals(
                "VIDIOC_REQBUFS of /dev/video0 failed: device or resource busy; end the program that uses the device,"
                        + " and repeat the command",
                busy.getMessage());
        assertFalse(driver.calls.contains(VideoDevice.VIDIOC_PREPARE_BUF));
    }

    @Test
    void a_refusal_becomes_a_demand_and_is_announced() {
        driver.prepare = fd -> fd == 5 ? -EFAULT : 0;
        VideoDevices devices = devices();
        Object before = announced.get("outcomes.changes");
        try (Trial trial = devices.begin(DEVICE).orElseThrow()) {
            assertEquals("640x480 YUYV", trial.format());
            assertEquals(ProbeOutcome.refused("PREPARE_BUF", EFAULT), trial.attach(buffer()));
            assertEquals(
                    ProbeOutcome.accepted(false),
                    trial.attach(buffer("contig", 6, Map.of(HeapProperties.CONTIGUOUS_MAX, 2L << 20))));
        }
        assertFalse(before.equals(announced.get("outcomes.changes")));
        List<String> demands = texts(devices.demands(DEVICE));
        assertEquals(4, demands.size());
        assertTrue(demands.get(2).startsWith("/dev/video0 not-heap=system PREPARE_BUF refused its memory with EFAULT"));
        assertTrue(demands.get(3).startsWith("/dev/video0 sg=contiguous "));
        assertEquals(demands, texts(devices().demands(DEVICE)), "after a restart");
        assertEquals(2, devices.forget(DEVICE));
        assertEquals(2, devices.demands(DEVICE).size());
        devices.stop();
        assertEquals(List.of(), services);
    }

    @Test
    void a_copy_of_the_kernel_is_observed_and_excludes_the_heap() {
        sysfs.write(COUNTER, "10");
        driver.onPrepare = () -> sysfs.write(COUNTER, "310");
        driver.onRelease = () -> sysfs.write(COUNTER, "10");
        VideoDevices devices = devices();
        try (Trial trial = devices.begin(DEVICE).orElseThrow()) {
            assertEquals(ProbeOutcome.bounced(614_400), trial.attach(buffer()));
        }
        assertEquals("system", devices.demands(DEVICE).getLast().value().toString());
    }

    @Test
    void a_counter_that_stays_proves_that_nothing_is_copied() {
        sysfs.write(COUNTER, "10");
        try (Trial trial = devices().begin(DEVICE).orElseThrow()) {
            assertEquals(ProbeOutcome.accepted(true), trial.attach(buffer()));
        }
        assertEquals(3, driver.prepared.size());
    }

    @ParameterizedTest
    @CsvSource({
        "0xc058565d,ENODEV,0", // PREPARE_BUF: the device vanishes
        "0xc058565d,ENOTTY,0", // PREPARE_BUF: the driver lacks it
        "0xc0145608,ENODEV,2", // REQBUFS of the trial
        "0xc0145608,EBUSY,2", // REQBUFS: another program was faster
        "0xc0d05604,ENODEV,2", // G_FMT within the trial
    })
    void a_failure_within_a_trial_is_no_answer_and_leaves_nothing_behind(String ioctl, Errno errno, int after) {
        driver.failing(Long.decode(ioctl), errno, after);
        VideoDevices devices = devices();
        try (Trial trial = devices.begin(DEVICE).orElseThrow()) {
            HeapException failure = assertThrows(HeapException.class, () -> trial.attach(buffer()));
            assertEquals(errno, failure.errno());
        }
        assertEquals(0, devices.forget(DEVICE));
    }

    @Test
    void entries_that_the_driver_keeps_are_a_failure_and_end_with_the_descriptor() {
        driver.failing(VideoDevice.VIDIOC_REQBUFS, Errno.EBUSY, 3); // the removal after PREPARE_BUF
        try (Trial trial = devices().begin(DEVICE).orElseThrow()) {
            assertThrows(HeapException.class, () -> trial.attach(buffer()));
            assertEquals(1, driver.entries);
        }
    }

    @Test
    void a_format_that_another_program_sets_ends_the_trial() {
        try (Trial trial = devices().begin(DEVICE).orElseThrow()) {
            driver.pixelFormat = 0x3231564e;
            HeapException changed = assertThrows(HeapException.class, () -> trial.attach(buffer()));
            assertEquals(Errno.EBUSY, changed.errno());
            assertTrue(changed.getMessage().contains("640x480 NV12"), changed.getMessage());
        }
    }

    @Test
    void a_buffer_that_is_too_small_is_not_tried() {
        driver.size = 614_401;
        try (Trial trial = devices().begin(DEVICE).orElseThrow()) {
            assertThrows(IllegalArgumentException.class, () -> trial.attach(buffer()));
        }
    }

    @Test
    void a_trial_is_closed_once_and_a_transient_refusal_is_not_remembered() {
        driver.prepare = _ -> -Errno.ENOMEM.number();
        VideoDevices devices = devices();
        Trial trial = devices.begin(DEVICE).orElseThrow();
        assertEquals(ProbeOutcome.refused("PREPARE_BUF", Errno.ENOMEM.number()), trial.attach(buffer()));
        trial.close();
        trial.close();
        assertEquals(0, devices.forget(DEVICE));
    }
}
