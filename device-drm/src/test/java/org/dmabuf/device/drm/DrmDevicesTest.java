// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.drm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.probe.FakeSysfs;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.DeviceProbe.Trial;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/** Tests of demands and probes of DRM devices with a fake sysfs and a kernel that counts handles. */
@SuppressWarnings("restricted") // the caller passes addresses, as to a kernel
class DrmDevicesTest {
    private static final String DEVICE = "/dev/dri/card0";
    private static final String DMABUF = DEVICE + " dmabuf=true DRM devices import dma-bufs";
    private static final int FD = 77;
    private static final int HANDLE = 9;

    @TempDir
    private Path root;

    private final List<String> calls = new ArrayList<>();
    private int importResult;
    private int closeResult;
    private int masterResult;
    private int open;
    private int handles;
    private int exported;
    private Dictionary<?, ?> announced;

    @BeforeEach
    void card() {
        new FakeSysfs(root).withVideo("vivid").withCard("cirrus"); // with the number of the first camera
    }

    @AfterEach
    void nothing_stays_open() {
        assertEquals(0, open, "descriptors");
        assertEquals(0, handles, "handles");
        assertEquals(0, exported, "exports");
    }

    private Object call(String name, Object[] arguments) {
        switch (name) {
            case "open" -> {
                open++;
                return FD;
            }
            case "close" -> {
                open--;
                handles = 0; // as the kernel
                return 0;
            }
            case "mode" -> {
                return 0x2000 | 0600;
            }
            case "ioctl" -> {
                return ioctl(
                        (long) arguments[1],
                        MemorySegment.ofAddress((long) arguments[2]).reinterpret(12));
            }
            default -> throw new AssertionError(name);
        }
    }

    private int ioctl(long request, MemorySegment struct) {
        switch ((int) request) {
            case (int) DrmDevice.DROP_MASTER -> {
                calls.add("DROP_MASTER");
                return masterResult;
            }
            case (int) DrmDevice.PRIME_FD_TO_HANDLE -> {
                calls.add("PRIME_FD_TO_HANDLE " + struct.get(JAVA_INT, 8));
                if (importResult == 0) {
                    handles++;
                    struct.set(JAVA_INT, 0, HANDLE);
                }
                return importResult;
            }
            case (int) DrmDevice.GEM_CLOSE -> {
                calls.add("GEM_CLOSE " + struct.get(JAVA_INT, 0));
                assertEquals(0, struct.get(JAVA_INT, 4), "padding");
                handles--;
                return closeResult;
            }
            default -> throw new AssertionError(Long.toHexString(request));
        }
    }

    private static <T> T fake(Class<T> type, BiFunction<String, Object[], Object> answers) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (_, method, arguments) -> answers.apply(method.getName(), arguments)));
    }

    private DrmDevices devices() {
        ServiceRegistration<?> registration = fake(ServiceRegistration.class, (name, arguments) -> {
            if (name.equals("setProperties")) {
                announced = (Dictionary<?, ?>) arguments[0];
            }
            return null;
        });
        BundleContext context = fake(
                BundleContext.class,
                (name, arguments) -> name.equals("getDataFile")
                        ? root.resolve((String) arguments[0]).toFile()
                        : registration);
        Syscalls syscalls = fake(Syscalls.class, this::call);
        return new DrmDevices(context, root, syscalls);
    }

    private DmaBuf buffer(boolean dmabuf) {
        return fake(DmaBuf.class, (name, _) -> switch (name) {
            case "size" -> 4096L;
            case "heapName" -> "system";
            case "heapProperties" -> Map.of(HeapProperties.DMABUF, dmabuf);
            case "exportFd" -> {
                exported++;
                yield OwnedFd.of(5, _ -> exported--);
            }
            default -> throw new AssertionError(name);
        });
    }

    private static ProbeOutcome attach(DrmDevices devices, DmaBuf buffer) {
        try (Trial trial = devices.begin(DEVICE).orElseThrow()) {
            return trial.attach(buffer);
        }
    }

    private static List<String> texts(List<Demand> demands) {
        return demands.stream().map(Demand::toString).toList();
    }

    @Test
    void a_device_demands_dmabufs_and_is_not_opened_for_that() {
        assertEquals(List.of(DMABUF), texts(devices().demands(DEVICE)));
        assertEquals(List.of(), calls);
    }

    @Test
    void other_devices_and_files_are_unknown() {
        for (String other : new String[] {"/dev/video1", "/dev/none", "not/a/device"}) {
            assertEquals(List.of(), devices().demands(other));
            assertEquals(Optional.empty(), devices().begin(other));
            assertEquals(0, devices().forget(other));
        }
    }

    @Test
    void an_import_is_attached_and_released_by_a_process_that_is_not_the_master() {
        DrmDevices devices = devices();
        assertEquals(ProbeOutcome.attached(), attach(devices, buffer(true)));
        assertEquals(List.of("DROP_MASTER", "PRIME_FD_TO_HANDLE 5", "GEM_CLOSE 9"), calls);
        assertEquals(List.of(DMABUF), texts(devices.demands(DEVICE)));
        assertEquals(null, announced);
    }

    @Test
    void a_device_with_another_master_can_be_asked() {
        masterResult = -Errno.EINVAL.number();
        assertEquals(ProbeOutcome.attached(), attach(devices(), buffer(true)));
    }

    @Test
    void a_refusal_is_remembered_until_it_is_forgotten() {
        importResult = -Errno.EINVAL.number();
        assertEquals(ProbeOutcome.refused("PRIME_FD_TO_HANDLE", 22), attach(devices(), buffer(true)));
        assertTrue(announced != null, "the broker must ask again");
        DrmDevices later = devices();
        List<String> demands = texts(later.demands(DEVICE));
        assertEquals(DMABUF, demands.getFirst());
        assertTrue(demands.getLast().startsWith(DEVICE + " not-heap=system "), demands::toString);
        assertTrue(demands.getLast().contains("PRIME_FD_TO_HANDLE"), demands::toString);
        assertEquals(1, later.forget(DEVICE));
        assertEquals(List.of(DMABUF), texts(later.demands(DEVICE)));
    }

    @Test
    void a_refusal_of_memory_that_is_no_dmabuf_proves_nothing() {
        importResult = -Errno.EINVAL.number();
        DrmDevices devices = devices();
        attach(devices, buffer(false));
        assertEquals(List.of(DMABUF), texts(devices.demands(DEVICE)));
    }

    @ParameterizedTest
    @EnumSource(names = {"ENODEV", "EACCES"})
    void a_device_that_cannot_be_asked_is_an_error_and_no_refusal(Errno errno) {
        importResult = -errno.number();
        DrmDevices devices = devices();
        HeapException failure = assertThrows(HeapException.class, () -> attach(devices, buffer(true)));
        assertEquals(errno, failure.errno());
        assertTrue(
                failure.getMessage().contains("DRM_IOCTL_PRIME_FD_TO_HANDLE of " + DEVICE + " failed: "),
                failure.getMessage());
        assertEquals(List.of(DMABUF), texts(devices.demands(DEVICE)));
    }

    @Test
    void an_import_that_cannot_be_released_ends_with_the_device() {
        closeResult = -Errno.EINVAL.number();
        assertThrows(HeapException.class, () -> attach(devices(), buffer(true)));
    }
}
