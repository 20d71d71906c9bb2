// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.Demand;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests on a device tree with a camera at {@code /soc/axi/camera@1}. */
class DeviceTreeTest {
    private static final String TREE = "sys/firmware/devicetree/base/";
    private static final String CAMERA = "soc/axi/camera@1";
    private static final String PLATFORM = "sys/devices/platform/soc/1.camera";

    @TempDir
    private Path root;

    private SysfsDevices devices;

    @BeforeEach
    void create() throws IOException {
        root = root.toRealPath();
        devices = new SysfsDevices(root) {
            @Override
            Optional<String> number(Path file) {
                return Optional.of("char/81:0");
            }
        };
        Files.createDirectories(root.resolve("dev"));
        Files.createFile(root.resolve("dev/video0"));
        Files.createDirectories(root.resolve(TREE + CAMERA));
        Files.createDirectories(root.resolve(PLATFORM));
        Files.createSymbolicLink(root.resolve(PLATFORM + "/of_node"), root.resolve(TREE + CAMERA));
        Files.createDirectories(root.resolve("sys/dev/char/81:0"));
        Files.createSymbolicLink(root.resolve("sys/dev/char/81:0/device"), root.resolve(PLATFORM));
        cells("#address-cells", 2);
        cells("soc/#address-cells", 1);
        cells("soc/axi/#address-cells", 1);
    }

    private void bytes(String property, byte... bytes) throws IOException {
        Path file = root.resolve(TREE + property);
        Files.createDirectories(file.getParent());
        Files.write(file, bytes);
    }

    private void cells(String property, int... cells) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(cells.length * Integer.BYTES);
        for (int cell : cells) {
            bytes.putInt(cell);
        }
        bytes(property, bytes.array());
    }

    private void text(String property, String text) throws IOException {
        bytes(property, (text + "\0").getBytes());
    }

    private void region(String name, int handle, String compatible) throws IOException {
        cells("reserved-memory/" + name + "/phandle", handle);
        text("reserved-memory/" + name + "/compatible", compatible);
    }

    private List<String> demands() {
        return devices.demands("/dev/video0").stream().map(Demand::toString).toList();
    }

    private void address(String range) {
        assertEquals(
                List.of(
                        "/dev/video0 dmabuf=true the device reads memory itself",
                        "/dev/video0 address=" + range + " dma-ranges of the buses of /" + TREE + CAMERA),
                demands());
    }

    private void refused(String file) {
        String message = assertThrows(HeapException.class, this::demands).getMessage();
        assertTrue(message.contains(file), message);
    }

    @Test
    void a_bus_passes_a_window_of_addresses() throws IOException {
        cells("soc/axi/dma-ranges", 0, 0x4000_0000, 0x3fff_ffff);
        cells("soc/dma-ranges");
        address("0x40000000-0x7ffffffe");
    }

    @Test
    void each_bus_translates_and_narrows() throws IOException {
        cells("soc/axi/dma-ranges", 0xc000_0000, 0, 0x4000_0000);
        cells("soc/dma-ranges", 0x2000_0000, 0x1, 0, 0x1000_0000);
        address("0x100000000-0x10fffffff");
    }

    @Test
    void windows_that_touch_are_one_and_of_separate_ones_the_largest_counts() throws IOException {
        cells("soc/axi/dma-ranges", 0x1000, 0x1000, 0x1000, 0x2000, 0x2000, 0x2000, 0x10000, 0x10000, 0x2000);
        cells("soc/dma-ranges");
        address("0x1000-0x3fff");
    }

    @Test
    void an_address_of_the_pci_bus_has_flags_in_its_first_cell() throws IOException {
        cells("soc/axi/#address-cells", 3);
        cells("soc/axi/#size-cells", 2);
        cells("soc/#address-cells", 2);
        cells("soc/axi/dma-ranges", 0x4300_0000, 0, 0, 0, 0, 0x1, 0);
        cells("soc/dma-ranges");
        address("32bit");
    }

    @Test
    void a_window_beyond_63_bits_ends_there() throws IOException {
        cells("soc/axi/#size-cells", 2);
        cells("soc/axi/dma-ranges", 0x1000, 0x1000, 0xffff_ffff, 0xffff_f000);
        cells("soc/dma-ranges");
        address("0x1000-0x7fffffffffffffff");
    }

    @Test
    void buses_without_limits_and_other_ways_show_nothing() throws IOException {
        assertEquals(List.of(), demands(), "no bus states that it passes accesses");
        cells("soc/axi/dma-ranges");
        cells("soc/dma-ranges");
        assertEquals(List.of(), demands(), "every address");
        cells("soc/axi/dma-ranges", 0, 0, 0x1000);
        text(CAMERA + "/interconnect-names", "write\0dma-mem");
        assertEquals(List.of(), demands(), "the accesses do not take this bus");
        Files.delete(root.resolve(TREE + CAMERA + "/interconnect-names"));
        Files.delete(root.resolve(TREE + "soc/dma-ranges"));
        assertEquals(List.of(), demands(), "the second bus does not pass accesses");
    }

    @ParameterizedTest
    @CsvSource({"soc/axi/dma-ranges, 2", "soc/axi/dma-ranges, 1", "soc/axi/#size-cells, 0", "soc/#address-cells, 9"})
    void a_property_of_a_wrong_length_or_value_fails_the_request(String property, int cell) throws IOException {
        cells("soc/axi/dma-ranges", 0, 0x4000_0000, 0x4000_0000);
        cells("soc/dma-ranges");
        cells(property, cell);
        refused(property);
        bytes(property, new byte[3]);
        refused(property);
    }

    @Test
    void buses_that_pass_no_address_fail_the_request() throws IOException {
        cells("soc/axi/dma-ranges", 0, 0x1000, 0x1000);
        cells("soc/dma-ranges", 0x8000, 0, 0x8000, 0x1000);
        refused("pass no address");
    }

    @Test
    void memory_that_is_set_aside_is_the_heap_of_that_name() throws IOException {
        region("video@30000000", 7, "shared-dma-pool");
        region("firmware@20000000", 8, "vendor,firmware");
        region("other", 9, "shared-dma-pool");
        cells(CAMERA + "/memory-region", 8, 7);
        assertEquals(
                "/dev/video0 heap=video,video@30000000 /" + TREE + CAMERA + "/memory-region",
                demands().getLast());
        cells(CAMERA + "/memory-region", 8);
        assertEquals(List.of(), demands());
    }

    @Test
    void behind_an_iommu_the_region_counts_and_the_addresses_do_not() throws IOException {
        region("video@30000000", 7, "shared-dma-pool");
        cells(CAMERA + "/memory-region", 7);
        cells("soc/axi/dma-ranges", 0, 0, 0x1000);
        cells("soc/dma-ranges");
        Files.createDirectories(root.resolve(PLATFORM + "/iommu_group"));
        Files.writeString(root.resolve(PLATFORM + "/iommu_group/type"), "DMA-FQ\n");
        assertEquals(
                List.of("dmabuf=true", "address=any", "heap=video,video@30000000"),
                demands().stream().map(demand -> demand.split(" ")[1]).toList());
    }
}
