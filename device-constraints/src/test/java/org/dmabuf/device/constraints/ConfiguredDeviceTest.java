// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.Demand;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfiguredDeviceTest {
    private static final Map<String, Object> CAMERA = Map.of(
            "device", "/dev/video0 ",
            "address", "32bit",
            "sg", " contiguous",
            "bank", "2",
            "service.pid", "org.dmabuf.device.constraints~camera",
            "felix.fileinstall.filename", "file:/gateway/etc/org.dmabuf.device.constraints-camera.cfg",
            "component.id", 7L,
            ".private", "x");

    @Test
    void each_setting_is_a_demand() {
        List<Demand> demands = new ConfiguredDevice(CAMERA).demands("/dev/video0");
        assertEquals(
                List.of("/dev/video0 address=32bit", "/dev/video0 bank=2", "/dev/video0 sg=contiguous"),
                demands.stream()
                        .map(demand -> demand.toString().replaceAll(" \\S+ in etc/.*", ""))
                        .toList());
        assertTrue(
                demands.getFirst().why().contains("etc/org.dmabuf.device.constraints-camera.cfg"),
                demands.getFirst()::why);
        assertTrue(demands.get(1).kind().isUnknown());
    }

    @Test
    void another_name_of_the_same_file_has_the_same_demands(@TempDir Path folder) throws IOException {
        Path node = Files.createFile(folder.resolve("video0"));
        Path byId = Files.createSymbolicLink(folder.resolve("by-id"), node);
        ConfiguredDevice device = new ConfiguredDevice(Map.of("device", byId.toString(), "buffers", "4"));
        for (Path name : List.of(node, byId)) {
            List<Demand> demands = device.demands(name.toString());
            assertEquals(1, demands.size(), name::toString);
            assertEquals(name.toString(), demands.getFirst().who(), "its buffers are not counted twice");
        }
        assertEquals(List.of(), device.demands(folder.resolve("video1").toString()));
        assertEquals(List.of(), device.demands("/dev/\0"));
    }

    @Test
    void a_kind_with_the_name_of_a_framework_is_a_demand() {
        ConfiguredDevice device = new ConfiguredDevice(Map.of("device", "/dev/npu", "service", "2"));
        assertEquals("service", device.demands("/dev/npu").getFirst().kind().name());
    }

    @Test
    void another_device_is_not_known() {
        assertEquals(List.of(), new ConfiguredDevice(CAMERA).demands("/dev/video1"));
    }

    @Test
    void a_wrong_value_fails_every_request_for_the_device_and_no_other() {
        ConfiguredDevice device =
                new ConfiguredDevice(Map.of("device", "/dev/video0", "address", "33bits", "dmabuf", "true"));
        HeapException refusal = assertThrows(HeapException.class, () -> device.demands("/dev/video0"));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertTrue(
                refusal.getMessage()
                        .startsWith("invalid address = 33bits in org.dmabuf.device.constraints: expected"
                                + " a range such as"),
                refusal::getMessage);
        assertEquals(List.of(), device.demands("/dev/video1"));
    }

    @Test
    void a_setting_that_cannot_be_a_kind_fails_too() {
        ConfiguredDevice device = new ConfiguredDevice(Map.of("device", "/dev/video0", "Address", "32bit"));
        assertThrows(HeapException.class, () -> device.demands("/dev/video0"));
    }

    @Test
    void a_configuration_without_a_device_knows_none() {
        assertEquals(List.of(), new ConfiguredDevice(Map.of("address", "32bit")).demands(""));
    }
}
