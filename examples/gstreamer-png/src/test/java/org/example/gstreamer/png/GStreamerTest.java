// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Tests of the messages without GStreamer. The integration tests run the command with GStreamer. */
class GStreamerTest {
    @Test
    void a_library_that_is_not_there_is_named_with_the_packages_to_install() {
        GStreamerException refused =
                assertThrows(GStreamerException.class, () -> GStreamer.load(List.of("libnosuch-1.0.so.0")));
        assertEquals(
                "GStreamer is not installed or incomplete (libnosuch-1.0.so.0 is missing); the Debian packages are"
                        + " gstreamer1.0-plugins-base and gstreamer1.0-plugins-good",
                refused.getMessage());
    }

    @Test
    void a_library_without_one_of_the_functions_is_too_old() {
        // The C library can be loaded, but does not have the functions.
        GStreamerException refused = assertThrows(GStreamerException.class, () -> GStreamer.load(List.of("libc.so.6")));
        assertEquals("this GStreamer has no gst_parse_launch_full; take 1.16 or later", refused.getMessage());
    }
}
