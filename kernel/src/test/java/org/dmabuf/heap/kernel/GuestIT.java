// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Tests of the guest's properties on which the other tests rely. */
class GuestIT {
    @Test
    void the_system_heap_and_udmabuf_are_devices() throws IOException {
        for (Path device : List.of(Devices.SYSTEM_HEAP, Devices.UDMABUF)) {
            assertEquals(true, Files.getAttribute(device, "isOther"), device.toString());
        }
    }

    @Test
    void vgem_is_available_to_import_buffers() throws IOException {
        List<String> drivers = new ArrayList<>();
        try (DirectoryStream<Path> cards = Files.newDirectoryStream(Path.of("/dev/dri"), "card*")) {
            for (Path card : cards) {
                Path device =
                        Path.of("/sys/class/drm").resolve(card.getFileName()).resolve("device");
                drivers.add(device.toRealPath().getFileName().toString());
            }
        }
        assertTrue(drivers.contains("vgem"), () -> "the devices of /dev/dri/card* are " + drivers);
    }

    @Test
    void the_kernel_lists_all_buffers_in_debugfs() throws IOException {
        String total =
                Files.readAllLines(Path.of("/sys/kernel/debug/dma_buf/bufinfo")).getLast();
        assertTrue(total.matches("Total \\d+ objects, \\d+ bytes"), () -> "bufinfo ends with: " + total);
    }

    @Test
    void the_files_of_the_host_cannot_be_written() {
        assertTrue(Files.exists(Path.of("/etc/passwd")));
        assertFalse(Files.isWritable(Path.of("/etc/passwd")));
    }
}
