// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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

    @TempDir
    private Path root;

    private SysfsDevices devices;

    @BeforeEach
    void create() throws IOException {
        root = root.toRealPath();
        devices = new SysfsDevices(root) {
            @Override
            Optional<String> number(Path file) throws IOException {
                return Optional.of(Files.readString(file)).filter(text -> !text.isEmpty());
            }
        };
        write("dev/video0", "char/81:300");
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

    private static final String DISK = PCI + "/ata1/block/sda";

    private void disk() throws IOException {
        write("dev/sda", "block/8:0");
        write("dev/sda1", "block/8:1");
        write(DISK + "/queue/logical_block_size", "4096\n");
        write(DISK + "/queue/dma_alignment", "511\n");
        write(DISK + "/queue/max_segments", "168\n");
        write(DISK + "/sda1/start", "2048\n");
        Files.createDirectories(root.resolve("sys/dev/block"));
        Files.createSymbolicLink(root.resolve("sys/dev/block/8:0"), root.resolve(DISK));
        Files.createSymbolicLink(root.resolve("sys/dev/block/8:1"), root.resolve(DISK + "/sda1"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/dev/sda", "/dev/sda1"})
    void a_disk_and_its_partition_need_a_mapping_and_whole_blocks(String device) throws IOException {
        disk();
        write(PCI + "/dma_mask_bits", "64\n");
        assertEquals(
                List.of(
                        device + " mappable=true the kernel reads and writes a mapping",
                        device + " granule=4K /" + DISK + "/queue/logical_block_size",
                        device + " alignment=512 /" + DISK + "/queue/dma_alignment",
                        device + " address=any /" + PCI + "/dma_mask_bits"),
                devices.demands(device).stream().map(Demand::toString).toList());
    }

    @Test
    void a_disk_that_takes_every_address_has_no_demand_on_the_alignment() throws IOException {
        disk();
        write(DISK + "/queue/dma_alignment", "0\n");
        assertEquals(
                "/dev/sda alignment=any /" + DISK + "/queue/dma_alignment",
                devices.demands("/dev/sda").getLast().toString());
    }

    @Test
    void a_limit_of_a_disk_that_is_no_number_fails_the_request() throws IOException {
        disk();
        write(DISK + "/queue/dma_alignment", "many\n");
        String message = assertThrows(HeapException.class, () -> devices.demands("/dev/sda"))
                .getMessage();
        assertTrue(message.endsWith("/queue/dma_alignment has 'many'"), message);
    }

    @Test
    void a_device_on_the_pci_bus_reaches_so_many_address_bits() throws IOException {
        link(PCI);
        write(PCI + "/dma_mask_bits", "32\n");
        assertEquals(
                List.of(
                        "/dev/video0 dmabuf=true the device reads memory itself",
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
                List.of(
                        "/dev/video0 dmabuf=true the device reads memory itself",
                        "/dev/video0 address=any /" + PCI + "/iommu_group/type"),
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
        assertEquals(Optional.of("char/1:3"), real.number(Path.of("/dev/null")));
        assertEquals(Optional.empty(), real.number(Path.of("/proc/self/status")));
        assertEquals(List.of(), real.demands("/dev/null"));
    }
}
