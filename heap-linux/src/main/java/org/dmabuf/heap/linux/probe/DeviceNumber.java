// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Kind and number of a device file, which are the device's place in {@code /sys/dev}. */
public final class DeviceNumber {
    private static final int FILE_TYPE = 0xF000;
    private static final int CHARACTER_DEVICE = 0x2000;
    private static final int BLOCK_DEVICE = 0x6000;
    private static final int LOW_BYTE = 0xFF;
    private static final int MAJOR_BITS = 0xFFF;
    private static final int MAJOR_SHIFT = 8;
    private static final int MINOR_SHIFT = 12;

    private final boolean block;
    private final long number;

    DeviceNumber(boolean block, long number) {
        this.block = block;
        this.number = number;
    }

    /**
     * Reads the number of a device file. The device is not opened.
     *
     * @param file that exists; a symbolic link is followed
     * @return its number; empty for a file that is no device
     * @throws IOException when the attributes of the file cannot be read
     */
    public static Optional<DeviceNumber> of(Path file) throws IOException {
        int type = (int) Files.getAttribute(file, "unix:mode") & FILE_TYPE;
        if (type != CHARACTER_DEVICE && type != BLOCK_DEVICE) {
            return Optional.empty();
        }
        long number = ((Number) Files.getAttribute(file, "unix:rdev")).longValue();
        return Optional.of(new DeviceNumber(type == BLOCK_DEVICE, number));
    }

    /** {@return whether it is of a block device, and not of a character device} */
    public boolean isBlock() {
        return block;
    }

    /** {@return the place in {@code /sys/dev}, such as {@code char/81:0}} */
    @Override
    public String toString() {
        long major = number >>> MAJOR_SHIFT & MAJOR_BITS;
        long minor = number & LOW_BYTE | number >>> MINOR_SHIFT & ~LOW_BYTE;
        return (block ? "block/" : "char/") + major + ":" + minor;
    }
}
