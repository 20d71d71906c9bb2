// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.Demand;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SysfsDevicesTest {
    private static final String VIDEO = "/dev/video0";
    private static final String PCI = "sys/devices/pci0000:00/0000:00:02.0";
    /** The number of major 81, minor 300. */
    private static final long NUMBER = 81 << 8 | 300 & 0xFF | (300L & ~0xFF) << 12;

    @TempDir
    private Path root;

    private SysfsDevices devices;

    @BeforeEach
    void create() throws IOException {
        root = root.toRealPath();
        devices = new SysfsDevices(root) {
            @Override
            long number(Path file) throws IOException {
                return Files.readString(file).isEmpty() ? -1 : NUMBER;
            }
        };
        write("dev/video0", "c");
        Files.createDirectories(root.resolve(PCI + "/usb1/1-1"));
        Files.createDirectories(root.resolve("sys/dev/char/81:300"));
    }

    private void write(String file, String text) throws IOException {
        Files.createDirectories(root.resolve(file).getParent());
        Files.writeString(root.resolve(file), text);
    }

    private void link(String folder) throws IOException {
        Files.createSymbolicLink(root.resolve("sys/dev/char/81:300/device"), root.resolve(folder));
    }

    private List<String> demands() {
        return devices.demands(VIDEO).stream().map(Demand::toString).toList();
    }

    @Test
    void a_device_on_the_pci_bus_reaches_so_many_address_bits() throws IOException {
        link(PCI);
        write(PCI + "/dma_mask_bits", "32\n");
        assertEquals(
                List.of(
                        "/dev/video0 dmabuf=true the device reads memory itself, /" + PCI + "/dma_mask_bits",
                        "/dev/video0 address=32bit /" + PCI + "/dma_mask_bits"),
                demands());
    }

    @Test
    void a_device_behind_a_controller_has_the_bits_of_the_controller() throws IOException {
        link(PCI + "/usb1/1-1");
        write(PCI + "/dma_mask_bits", "40\n");
        assertEquals(
                "/dev/video0 address=40bit /" + PCI + "/dma_mask_bits",
                demands().getLast());
    }

    @ParameterizedTest
    @ValueSource(strings = {"DMA", "DMA-FQ"})
    void behind_an_iommu_that_translates_every_address_is_reached(String type) throws IOException {
        link(PCI);
        write(PCI + "/dma_mask_bits", "32\n");
        write(PCI + "/iommu_group/type", type + "\n");
        assertEquals(
                List.of("/dev/video0 dmabuf=true the device reads memory itself, /" + PCI + "/iommu_group/type"),
                demands());
    }

    @Test
    void an_iommu_that_does_not_translate_changes_nothing() throws IOException {
        link(PCI);
        write(PCI + "/dma_mask_bits", "32\n");
        write(PCI + "/iommu_group/type", "identity\n");
        assertEquals(2, demands().size());
    }

    @Test
    void what_sysfs_does_not_show_is_not_known() throws IOException {
        assertEquals(List.of(), demands(), "a device on no bus");
        link("sys/devices");
        Files.createDirectories(root.resolve("sys/devices/platform/isp"));
        assertEquals(List.of(), demands());
        assertEquals(List.of(), devices.demands("/dev/video1"), "a file that does not exist");
        write("dev/null", "");
        assertEquals(List.of(), devices.demands("/dev/null"), "a file that is no device");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "many", "0", "65"})
    void a_number_that_the_kernel_would_not_write_fails_the_request(String bits) throws IOException {
        link(PCI);
        write(PCI + "/dma_mask_bits", bits);
        HeapException refusal = assertThrows(HeapException.class, this::demands);
        assertEquals(Errno.EIO, refusal.errno());
        assertTrue(refusal.getMessage().contains("/dma_mask_bits has '" + bits + "'"), refusal::getMessage);
    }

    @Test
    void the_numbers_of_real_files_are_read() throws IOException {
        SysfsDevices real = new SysfsDevices();
        assertEquals(1 << 8 | 3, real.number(Path.of("/dev/null")));
        assertEquals(-1, real.number(Path.of("/proc/self/status")));
        assertEquals(List.of(), real.demands("/dev/null"));
    }
}
