// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceEntryTest {
    @TempDir
    private Path root;

    private FakeSysfs sysfs;

    @BeforeEach
    void devices() {
        sysfs = new FakeSysfs(root).withVideo("vivid");
    }

    private DeviceEntry entry(String device) {
        return DeviceEntry.of(root, device).orElseThrow();
    }

    @Test
    void an_entry_has_the_class_the_driver_and_the_kernel() {
        DeviceEntry entry = entry("/dev/video0");
        assertEquals("video4linux", entry.subsystem());
        assertEquals("vivid", entry.driver());
        assertEquals("6.12.1", entry.release());
        assertEquals("/dev/null", entry.node(), "without links");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sys/module/vivid/parameters/allocators", "sys/module/vivid/srcversion"})
    void the_fingerprint_changes_with_the_state_of_the_driver(String file) {
        String before = entry("/dev/video0").fingerprint();
        assertEquals(before, entry("/dev/video0").fingerprint());
        sysfs.write(file, "changed");
        assertNotEquals(before, entry("/dev/video0").fingerprint());
    }

    @Test
    void two_devices_of_one_driver_have_different_fingerprints() {
        assertNotEquals(entry("/dev/video0").fingerprint(), entry("/dev/video1").fingerprint());
    }

    @Test
    void a_path_without_an_entry_has_none() throws IOException {
        assertTrue(DeviceEntry.of(root, "/dev/video9").isEmpty());
        assertTrue(DeviceEntry.of(root, "/sys/module/vivid/srcversion").isEmpty(), "a file");
        assertTrue(DeviceEntry.of(root, "/dev/a\0b").isEmpty());
        Files.createSymbolicLink(root.resolve("dev/full"), Path.of("/dev/full"));
        assertTrue(DeviceEntry.of(root, "/dev/full").isEmpty(), "a device that sysfs does not list");
    }

    @Test
    void a_driver_without_a_module_has_a_fingerprint() throws IOException {
        Files.delete(root.resolve("sys/bus/platform/drivers/vivid/module"));
        assertNotEquals("", entry("/dev/video0").fingerprint());
    }
}
