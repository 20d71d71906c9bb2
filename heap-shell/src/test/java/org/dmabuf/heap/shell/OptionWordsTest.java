// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class OptionWordsTest {
    @Test
    void a_call_that_permits_emulations_is_an_option() {
        assertEquals(
                "it serves only requests that permit emulation: --emulated protected,physical",
                OptionWords.of("it serves only requests that permit emulation:"
                        + " withEmulations(\"protected\", \"physical\")"));
    }

    @Test
    void a_buffer_without_a_descriptor_was_allocated_with_an_option() {
        assertEquals(
                "buffer 3 was allocated with --no-export and has no descriptor; allocate it without",
                OptionWords.of("buffer 3 was allocated with ExportMode.NONE and has no descriptor to give; allocate it"
                        + " with READ_ONLY or READ_WRITE"));
    }

    @Test
    void the_remedy_for_a_limit_of_exports_is_an_option() {
        assertEquals("ask for less, or use --no-export", OptionWords.of("ask for less, or use ExportMode.NONE"));
    }

    @Test
    void the_remedy_for_a_missing_read_only_export_is_an_option() {
        assertEquals(
                "the heap has no read-only export; leave out --read-only, or use a heap whose heap.export.readonly is"
                        + " true",
                OptionWords.of("the heap has no read-only export; use READ_WRITE, or a heap whose"
                        + " heap.export.readonly is true"));
    }
}
