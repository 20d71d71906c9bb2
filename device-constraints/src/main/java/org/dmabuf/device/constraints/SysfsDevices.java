// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.probe.DeviceNumber;
import org.dmabuf.heap.spi.DeviceDemands;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;

/**
 * Demands of character and block devices, as far as sysfs and the device tree show them.
 *
 * <p>For a device on the PCI bus they are its address bits. In the device tree they are the addresses that the buses
 * pass, and the memory that is set aside for the device. Behind an IOMMU that translates, a device reaches every
 * address. The kernel does not show the address bits of other devices, and not whether a driver needs contiguous
 * memory. A configuration states them.
 *
 * <p>A block device reads and writes the memory of a mapping, in whole blocks. The kernel divides a request that has
 * more segments than the device takes, so the limits of segments are no demands.
 */
@Component
public class SysfsDevices implements DeviceDemands {
    private static final int ALL_BITS = 64;
    private static final long MOST_BYTES = 1L << 31;

    private final Path root;
    private final DeviceTree tree;

    @Activate
    public SysfsDevices() {
        this(Path.of("/"));
    }

    /** @param root the root of all files */
    SysfsDevices(Path root) {
        this.root = root;
        tree = new DeviceTree(root.resolve("sys/firmware/devicetree/base"));
    }

    @Override
    public List<Demand> demands(String device) {
        try {
            if (!device.startsWith("/")) {
                return List.of();
            }
            Path file = root.resolve(Path.of("/").relativize(Path.of(device)));
            Optional<String> number = Files.exists(file) ? number(file) : Optional.empty();
            Path entry = root.resolve("sys/dev/" + number.orElse(""));
            if (number.isEmpty() || !Files.exists(entry)) {
                return List.of(); // another source may know the name
            }
            return number.get().startsWith("block/")
                    ? ofBlocks(device, entry.toRealPath())
                    : ofCharacters(device, entry.resolve("device"));
        } catch (InvalidPathException e) {
            return List.of(); // this locale has no file of that name
        } catch (IOException e) {
            throw HeapException.of(Errno.EIO, "reading the kernel's description of device " + device + " failed: " + e);
        }
    }

    /** {@return the device's place in /sys/dev, such as {@code char/81:0}; empty for a file that is no device} */
    Optional<String> number(Path file) throws IOException {
        return DeviceNumber.of(file).map(DeviceNumber::toString);
    }

    private List<Demand> ofCharacters(String device, Path link) throws IOException {
        if (!Files.exists(link)) {
            return List.of(); // on no bus
        }
        List<Demand> demands = new ArrayList<>(ofBus(device, link.toRealPath()));
        if (!demands.isEmpty()) {
            String why = "the device reads memory itself";
            demands.addFirst(Demand.of(device, ConstraintKind.DMABUF, "true", why));
        }
        return demands;
    }

    private List<Demand> ofBlocks(String device, Path folder) throws IOException {
        Path own = folder.resolve("queue");
        Path queue = Files.exists(own) ? own : folder.resolveSibling("queue"); // of a partition, that of the disk
        List<Demand> demands = new ArrayList<>();
        String why = "the kernel reads and writes a mapping";
        demands.add(Demand.of(device, ConstraintKind.MAPPABLE, "true", why));
        Path block = queue.resolve("logical_block_size");
        read(block)
                .map(text -> number(device, block, text, 1, MOST_BYTES))
                .map(bytes -> Demand.of(device, ConstraintKind.GRANULE, bytes.toString(), shown(block)))
                .ifPresent(demands::add);
        Path mask = queue.resolve("dma_alignment");
        read(mask)
                .map(text -> number(device, mask, text, 0, MOST_BYTES))
                .map(bits -> Demand.of(device, ConstraintKind.ALIGNMENT, Long.toString(bits + 1), shown(mask)))
                .ifPresent(demands::add);
        demands.addAll(ofBus(device, folder));
        return demands;
    }

    /** Returns the demands of the nearest device in the path that has any: that device makes the accesses. */
    private List<Demand> ofBus(String device, Path folder) throws IOException {
        for (Path up = folder; up.startsWith(root.resolve("sys/devices")); up = up.getParent()) {
            boolean translated = read(up.resolve("iommu_group/type"))
                    .filter(type -> type.startsWith("DMA"))
                    .isPresent();
            List<Demand> demands = new ArrayList<>();
            Path bits = up.resolve("dma_mask_bits");
            if (translated) {
                demands.add(Demand.of(device, ConstraintKind.ADDRESS, "any", shown(up.resolve("iommu_group/type"))));
            } else if (Files.exists(bits)) {
                long number = number(device, bits, read(bits).orElse(""), 1, ALL_BITS);
                demands.add(Demand.of(device, ConstraintKind.ADDRESS, number + "bit", shown(bits)));
            }
            if (Files.exists(up.resolve("of_node"))) {
                addTree(demands, device, up.resolve("of_node").toRealPath(), translated);
            }
            if (!demands.isEmpty()) {
                return demands;
            }
        }
        return List.of();
    }

    private void addTree(List<Demand> demands, String device, Path node, boolean translated) throws IOException {
        if (!translated) {
            tree.addresses(node)
                    .ifPresent(range -> demands.add(Demand.of(
                            device, ConstraintKind.ADDRESS, range, "dma-ranges of the buses of " + shown(node))));
        }
        List<String> regions = tree.regions(node);
        if (!regions.isEmpty()) {
            String why = shown(node.resolve("memory-region"));
            demands.add(Demand.of(device, ConstraintKind.HEAP, String.join(",", regions), why));
        }
    }

    private long number(String device, Path file, String text, long least, long most) {
        try {
            long number = Long.parseLong(text);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Reported below.
        }
        throw HeapException.of(
                Errno.EIO,
                "reading the limits of device " + device + " failed: " + shown(file) + " has '" + text + "'");
    }

    private String shown(Path file) {
        return "/" + root.relativize(file);
    }

    private static Optional<String> read(Path file) {
        try {
            return Files.exists(file) ? Optional.of(Files.readString(file).strip()) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
