// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ExportMode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HeapRequestTest {
    private static final long LARGEST = Long.MAX_VALUE - 65_535;
    private static final Optional<ClientId> CAMERA =
            Optional.of(ClientId.ofBundle("org.example.camera", "file:camera"));
    private static final HeapRequest FULL = HeapRequest.of(
            AllocationRequest.of(4096)
                    .withHeaps("camera")
                    .withAlignment(64)
                    .withExport(ExportMode.READ_ONLY)
                    .withName("frame"),
            CAMERA);

    private static void assertInvalid(String sentence, Executable call) {
        assertEquals(
                sentence, assertThrows(IllegalArgumentException.class, call).getMessage());
    }

    private static void assertRequest(
            long size, long alignment, ExportMode export, String name, Optional<ClientId> client, HeapRequest request) {
        assertEquals(size, request.size());
        assertEquals(alignment, request.alignment());
        assertEquals(export, request.export());
        assertEquals(Optional.ofNullable(name), request.name());
        assertEquals(client, request.client());
    }

    @Test
    void a_request_with_only_a_size_has_no_client_and_is_exportable() {
        assertRequest(1, 1, ExportMode.READ_WRITE, null, Optional.empty(), HeapRequest.of(1));
        assertEquals(LARGEST, HeapRequest.of(LARGEST).size());
    }

    @Test
    void a_heap_sees_its_part_of_a_clients_request() {
        assertRequest(4096, 64, ExportMode.READ_ONLY, "frame", CAMERA, FULL);
        assertRequest(
                7,
                1,
                ExportMode.READ_WRITE,
                null,
                Optional.empty(),
                HeapRequest.of(AllocationRequest.of(7), Optional.empty()));
    }

    @Test
    void each_change_returns_a_new_request_with_the_other_values_unchanged() {
        assertRequest(8192, 64, ExportMode.READ_ONLY, "frame", CAMERA, FULL.withSize(8192));
        assertRequest(4096, 4096, ExportMode.READ_ONLY, "frame", CAMERA, FULL.withAlignment(4096));
        assertRequest(4096, 64, ExportMode.NONE, "frame", CAMERA, FULL.withExport(ExportMode.NONE));
        assertRequest(4096, 64, ExportMode.READ_ONLY, "other", CAMERA, FULL.withName("other"));
        assertRequest(4096, 64, ExportMode.READ_ONLY, "frame", CAMERA, FULL);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, -4096, Long.MIN_VALUE, LARGEST + 1, Long.MAX_VALUE})
    void an_invalid_size_is_refused(long size) {
        String sentence = "invalid size = " + size + ": expected 1 to " + LARGEST + " bytes";
        assertInvalid(sentence, () -> HeapRequest.of(size));
        assertInvalid(sentence, () -> FULL.withSize(size));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, 3, 4097, Long.MIN_VALUE, Long.MAX_VALUE})
    void an_alignment_that_is_not_a_power_of_two_is_refused(long alignment) {
        assertInvalid(
                "invalid alignment = " + alignment + ": expected a power of two in bytes",
                () -> FULL.withAlignment(alignment));
    }

    @Test
    void an_invalid_name_is_refused() {
        for (String name : List.of("", "x".repeat(32), "\u20ac".repeat(11), "a\nb")) {
            assertInvalid(
                    "invalid name = '" + name.replace('\n', '?')
                            + "': expected 1 to 31 bytes of UTF-8 without control characters",
                    () -> FULL.withName(name));
        }
    }

    @Test
    void nulls_are_refused() {
        assertThrows(NullPointerException.class, () -> FULL.withExport(null));
        assertEquals(
                "invalid name = null: expected a text",
                assertThrows(NullPointerException.class, () -> FULL.withName(null))
                        .getMessage());
        assertThrows(NullPointerException.class, () -> HeapRequest.of(null, Optional.empty()));
        assertThrows(NullPointerException.class, () -> HeapRequest.of(AllocationRequest.of(1), null));
    }

    @Test
    void its_text_lists_the_requested_values() {
        assertEquals("request of 4096 bytes aligned to 64, export READ_ONLY, 'frame'", FULL.toString());
        assertEquals(
                "request of 1 bytes aligned to 1, export READ_WRITE",
                HeapRequest.of(1).toString());
    }
}
