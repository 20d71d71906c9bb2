// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Exporter of a dma-buf: the kernel code that made it, by which something is known of the buffer's memory.
 *
 * @param name as {@code /proc/self/fdinfo} shows it; empty when it is not known
 */
public record DmaBufExporter(String name) {
    /** The exporter of a dma-buf of which the kernel shows no name. */
    public static final DmaBufExporter UNKNOWN = new DmaBufExporter("");

    private static final String FIELD = "exp_name:";
    private static final String UDMABUF = "udmabuf";
    /** Begins the names of the exporters of cameras and codecs. */
    private static final String VIDEO = "videobuf2_";

    /**
     * Reads the name. The first {@code exp_name:} is the kernel's. The buffer's own name comes after it, and a holder
     * can forge lines there.
     *
     * @param fd a dma-buf
     * @return {@link #UNKNOWN} where the name cannot be read
     */
    public static DmaBufExporter of(int fd) {
        try {
            return ProcFile.read(Path.of("/proc/self/fdinfo/" + fd)).stream()
                    .flatMap(String::lines)
                    .filter(line -> line.startsWith(FIELD))
                    .findFirst()
                    .map(line -> new DmaBufExporter(line.substring(FIELD.length()).strip()))
                    .orElse(UNKNOWN);
        } catch (RuntimeException e) {
            return UNKNOWN;
        }
    }

    /** {@return whether it is udmabuf, or can be} */
    boolean canBeUdmabuf() {
        return name.isEmpty() || name.equals(UDMABUF);
    }

    /**
     * {@return whether every page exists from the start, on the account of the process that made the buffer} Graphics
     * drivers make pages at the first mapping, on the account of the process that maps.
     */
    public boolean makesAllPages() {
        return name.equals(UDMABUF)
                || name.equals("system")
                || name.startsWith(VIDEO)
                || !name.isEmpty() && Files.exists(Path.of(DmaBufDevices.HEAPS, name));
    }
}
