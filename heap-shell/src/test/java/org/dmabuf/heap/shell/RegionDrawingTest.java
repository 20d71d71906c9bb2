// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.spi.RegionMap.State;
import org.dmabuf.heap.spi.RegionMap.Stretch;
import org.junit.jupiter.api.Test;

class RegionDrawingTest {
    private static final long KIB = 1024;
    private static final long MIB = 1024 * KIB;

    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "file:camera.jar");
    private static final ClientId PEER = ClientId.of("uid", "1000");

    private record Part(long size, State state, Optional<ClientId> client, String buffer) {
        Part(long size, State state) {
            this(size, state, Optional.empty(), "");
        }

        Stretch at(long offset) {
            if (client.isEmpty() && buffer.isEmpty()) {
                return Stretch.of(offset, size, state);
            }
            AllocationRequest request = AllocationRequest.of(size);
            return Stretch.of(
                    offset, size, state, HeapRequest.of(buffer.isEmpty() ? request : request.withName(buffer), client));
        }
    }

    private static String drawing(int width, Part... parts) {
        return new RegionDrawing(
                        "camera",
                        new RegionMap() {
                            @Override
                            public long size() {
                                long size = 0;
                                for (Part part : parts) {
                                    size += part.size();
                                }
                                return size;
                            }

                            @Override
                            public void forEachStretch(Visitor visitor) {
                                long offset = 0;
                                for (Part part : parts) {
                                    visitor.stretch(part.at(offset));
                                    offset += part.size();
                                }
                            }
                        },
                        width)
                .toString();
    }

    @Test
    void a_region_is_drawn_to_the_width_with_a_mark_for_every_state() {
        assertEquals(
                """
                camera: 32 MiB, 512 KiB a character
                ########
                ########
                ~~~~~~~~
                !!!!!!!!
                ........
                ........
                ........
                ........
                . free 16 MiB  # used 8 MiB  ~ to be zeroed 4 MiB  ! held elsewhere 4 MiB""",
                drawing(
                        8,
                        new Part(8 * MIB, State.USED),
                        new Part(4 * MIB, State.DIRTY),
                        new Part(4 * MIB, State.QUARANTINED),
                        new Part(16 * MIB, State.FREE)));
    }

    @Test
    void a_page_in_use_is_visible_among_any_number_of_free_pages() {
        String drawing = drawing(
                10,
                new Part(100 * MIB, State.FREE),
                new Part(4 * KIB, State.USED),
                new Part(100 * MIB - 4 * KIB, State.FREE));
        assertEquals("""
                camera: 200 MiB, 2.5 MiB a character
                ..........
                ..........
                ..........
                ..........
                #.........
                ..........
                ..........
                ..........
                . free 200 MiB  # used 4 KiB  ~ to be zeroed 0 bytes  ! held elsewhere 0 bytes""", drawing);
    }

    @Test
    void a_region_of_few_pages_has_a_character_for_each() {
        assertEquals(
                """
                camera: 12 KiB, 4 KiB a character
                #.~
                . free 4 KiB  # used 4 KiB  ~ to be zeroed 4 KiB  ! held elsewhere 0 bytes""",
                drawing(
                        80,
                        new Part(4 * KIB, State.USED),
                        new Part(4 * KIB, State.FREE),
                        new Part(4 * KIB, State.DIRTY)));
    }

    @Test
    void a_legend_names_client_and_buffer_of_each_stretch_that_is_used_or_held_elsewhere() {
        assertEquals(
                """
                camera: 32 MiB, 512 KiB a character
                AAAAAAAA
                AAAAAAAA
                aaaaaaaa
                ........
                BB######
                ........
                ........
                ........
                . free 16 MiB  A-Z # used 12 MiB  ~ to be zeroed 0 bytes
                a-z ! held elsewhere 4 MiB
                A  org.example.camera  'frame 7'  8 MiB
                a  uid:1000            'frame 6'  4 MiB  held elsewhere
                B  uid:1000            -          1 MiB""",
                drawing(
                        8,
                        new Part(8 * MIB, State.USED, Optional.of(CAMERA), "frame 7"),
                        new Part(4 * MIB, State.QUARANTINED, Optional.of(PEER), "frame 6"),
                        new Part(4 * MIB, State.FREE),
                        new Part(MIB, State.USED, Optional.of(PEER), ""),
                        new Part(3 * MIB, State.USED),
                        new Part(12 * MIB, State.FREE)));
    }

    @Test
    void two_clients_of_one_name_are_listed_with_their_locations() {
        String drawing = drawing(
                8,
                new Part(MIB, State.USED, Optional.of(CAMERA), "left"),
                new Part(MIB, State.USED, Optional.of(ClientId.ofBundle("org.example.camera", "file:other.jar")), ""));
        assertTrue(drawing.endsWith("""
                        A  org.example.camera@file:camera.jar  'left'  1 MiB
                        B  org.example.camera@file:other.jar   -       1 MiB"""), drawing);
    }

    @Test
    void stretches_without_a_letter_keep_their_mark_and_are_counted() {
        Part[] parts = new Part[28];
        Arrays.fill(parts, new Part(4 * KIB, State.USED, Optional.of(CAMERA), "frame"));
        String drawing = drawing(80, parts);
        assertTrue(drawing.contains("\nABCDEFGHIJKLMNOPQRSTUVWXYZ##\n"), drawing);
        assertTrue(drawing.endsWith("\nZ  org.example.camera  'frame'  4 KiB\nand 2 more, 8 KiB"), drawing);
    }

    @Test
    void a_legend_of_long_names_fits_80_columns() {
        ClientId driver =
                ClientId.ofBundle("org.example.camera.driver", "file:/opt/gateway/deploy/camera-driver-1.2.3.jar");
        ClientId other = ClientId.ofBundle("org.example.camera.driver", "file:/srv/camera-driver.jar");
        String drawing = drawing(
                80,
                new Part(1000 * MIB, State.QUARANTINED, Optional.of(driver), "the name of a buffer, 31 bytes."),
                new Part(1000 * MIB, State.QUARANTINED, Optional.of(other), "the name of a buffer, 31 bytes."));
        drawing.lines().forEach(line -> assertTrue(line.length() <= 80, line));
        assertTrue(drawing.contains("\na  …camera-driver-1.2.3.jar  'the name"), drawing);
    }
}
