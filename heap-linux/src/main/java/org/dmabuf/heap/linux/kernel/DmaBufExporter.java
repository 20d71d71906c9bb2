// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Exporter of a dma-buf: the kernel code that made it. It determines properties of the buffer's memory.
 *
 * @param name name in {@code /proc/self/fdinfo}; empty if unknown
 */
public record DmaBufExporter(String name) {
    /** Exporter of a dma-buf whose exporter name the kernel does not show. */
    public static final DmaBufExporter UNKNOWN = new DmaBufExporter("");

    private static final String FIELD = "exp_name:";
    private static final String UDMABUF = "udmabuf";
    /** Prefix of the exporter names of cameras and codecs. */
    private static final String VIDEO = "videobuf2_";

    /**
     * Reads the name. Only the first {@code exp_name:} is genuine. The buffer's own name follows it, in which a holder
     * can forge lines.
     *
     * @param fd a dma-buf
     * @return the exporter, {@link #UNKNOWN} if the name cannot be read
     */
    public static DmaBufExporter of(int fd) {
        try {
            return ProcFile.read(Path.of("/proc/self/fdinfo/" + fd)).stream()
                    .flatMap(String::lines)
                    .filter(line -> line.startsWith(FIELD))
                    .findFirst()
                    .map(line ->
                            new DmaBufExporter(line.substring(FIELD.length()).strip()))
                    .orElse(UNKNOWN);
        } catch (RuntimeException e) {
            return UNKNOWN;
        }
    }

    /** {@return whether it is, or may be, udmabuf} */
    boolean canBeUdmabuf() {
        return name.isEmpty() || name.equals(UDMABUF);
    }

    /**
     * {@return whether every page exists from the start and is charged to the process that made the buffer} Graphics
     * drivers make pages at the first mapping and charge the process that maps.
     */
    public boolean makesAllPages() {
        return name.equals(UDMABUF)
                || name.equals("system")
                || name.startsWith(VIDEO)
                || !name.isEmpty() && Files.exists(Path.of(DmaBufDevices.HEAPS, name));
    }
}
