// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DeviceNumberTest {
    @Test
    void the_number_of_a_file_is_its_place_in_sysfs() throws IOException {
        DeviceNumber number = DeviceNumber.of(Path.of("/dev/null")).orElseThrow();
        assertEquals("char/1:3", number.toString());
        assertFalse(number.isBlock());
    }

    @Test
    void a_file_that_is_no_device_has_no_number() throws IOException {
        assertEquals(Optional.empty(), DeviceNumber.of(Path.of("/proc/self/status")));
        assertThrows(NoSuchFileException.class, () -> DeviceNumber.of(Path.of("/dev/no-such-device")));
    }

    @Test
    void the_upper_bits_of_a_minor_number_are_behind_the_major_number() {
        assertEquals("block/259:300", new DeviceNumber(true, 259 << 8 | 300 & 0xFF | (300L & ~0xFF) << 12).toString());
    }
}
