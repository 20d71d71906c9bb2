// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.spi.DeviceDemands;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;

/**
 * Demands of character devices, as far as sysfs shows them. It reads the number of address bits of a device on the PCI
 * bus. Behind an IOMMU that translates, a device reaches every address. For other devices the kernel shows neither, so
 * this source does not know them. The kernel does not show either whether a driver needs contiguous memory; a
 * configuration states it.
 */
@Component
public class SysfsDevices implements DeviceDemands {
    private static final int CHARACTER_DEVICE = 0x2000;
    private static final int FILE_TYPE = 0xF000;
    private static final int LOW_BYTE = 0xFF;
    private static final int MAJOR_BITS = 0xFFF;
    private static final int MAJOR_SHIFT = 8;
    private static final int MINOR_SHIFT = 12;
    private static final int ALL_BITS = 64;

    private final Path root;

    @Activate
    public SysfsDevices() {
        this(Path.of("/"));
    }

    /** @param root the root of all files */
    SysfsDevices(Path root) {
        this.root = root;
    }

    @Override
    public List<Demand> demands(String device) {
        Path file = root.resolve(Path.of("/").relativize(Path.of("/").resolve(device)));
        Optional<Path> folder = folder(device, file);
        return folder.isEmpty() ? List.of() : demands(device, folder.get());
    }

    /** {@return the folder of the device in sysfs, empty for a file that is no character device of a bus} */
    private Optional<Path> folder(String device, Path file) {
        try {
            if (!Files.exists(file)) {
                return Optional.empty(); // another source may know the name
            }
            long number = number(file);
            if (number < 0) {
                return Optional.empty();
            }
            long major = number >>> MAJOR_SHIFT & MAJOR_BITS;
            long minor = number & LOW_BYTE | number >>> MINOR_SHIFT & ~LOW_BYTE;
            Path link = root.resolve("sys/dev/char/" + major + ":" + minor + "/device");
            return Files.exists(link) ? Optional.of(link.toRealPath()) : Optional.empty();
        } catch (IOException e) {
            throw HeapException.of(Errno.EIO, "reading the kernel's description of device " + device + " failed: " + e);
        }
    }

    /** {@return the number of a character device, negative for another file} */
    long number(Path file) throws IOException {
        int mode = (int) Files.getAttribute(file, "unix:mode");
        return (mode & FILE_TYPE) == CHARACTER_DEVICE
                ? ((Number) Files.getAttribute(file, "unix:rdev")).longValue()
                : -1;
    }

    private List<Demand> demands(String device, Path folder) {
        List<Demand> demands = new ArrayList<>();
        for (Path up = folder; up.startsWith(root.resolve("sys/devices")); up = up.getParent()) {
            Optional<String> iommu = read(up.resolve("iommu_group/type"));
            if (iommu.filter(type -> type.startsWith("DMA")).isPresent()) {
                demands.add(importing(device, up.resolve("iommu_group/type")));
                return demands;
            }
            Optional<String> bits = read(up.resolve("dma_mask_bits"));
            if (bits.isPresent()) {
                Path where = up.resolve("dma_mask_bits");
                demands.add(importing(device, where));
                demands.add(Demand.of(device, ConstraintKind.ADDRESS, bits(device, bits.get(), where), shown(where)));
                return demands;
            }
        }
        return demands;
    }

    private Demand importing(String device, Path where) {
        return Demand.of(device, ConstraintKind.DMABUF, "true", "the device reads memory itself, " + shown(where));
    }

    private String bits(String device, String text, Path where) {
        try {
            int bits = Integer.parseInt(text);
            if (bits > 0 && bits <= ALL_BITS) {
                return bits + "bit";
            }
        } catch (NumberFormatException e) {
            // Reported below.
        }
        throw HeapException.of(
                Errno.EIO,
                "reading the address bits of device " + device + " failed: " + shown(where) + " has '" + text + "'");
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
