// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.spi.RegionMap.State;
import org.junit.jupiter.api.Test;

class RegionDrawingTest {
    private static final long KIB = 1024;
    private static final long MIB = 1024 * KIB;

    private record Stretch(long size, State state) {}

    private static String drawing(int width, Stretch... stretches) {
        return new RegionDrawing(
                        "camera",
                        new RegionMap() {
                            @Override
                            public long size() {
                                long size = 0;
                                for (Stretch stretch : stretches) {
                                    size += stretch.size();
                                }
                                return size;
                            }

                            @Override
                            public void forEachStretch(Visitor visitor) {
                                long offset = 0;
                                for (Stretch stretch : stretches) {
                                    visitor.stretch(offset, stretch.size(), stretch.state());
                                    offset += stretch.size();
                                }
                            }
                        },
                        width)
                .toString();
    }

    @Test
    void a_region_is_drawn_to_the_width_and_every_state_has_its_mark() {
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
                . free 16 MiB   # used 8 MiB   ~ to be zeroed 4 MiB   ! held elsewhere 4 MiB""",
                drawing(
                        8,
                        new Stretch(8 * MIB, State.USED),
                        new Stretch(4 * MIB, State.DIRTY),
                        new Stretch(4 * MIB, State.QUARANTINED),
                        new Stretch(16 * MIB, State.FREE)));
    }

    @Test
    void a_page_in_use_is_seen_among_any_number_that_are_free() {
        String drawing = drawing(
                10,
                new Stretch(100 * MIB, State.FREE),
                new Stretch(4 * KIB, State.USED),
                new Stretch(100 * MIB - 4 * KIB, State.FREE));
        assertEquals(
                """
                camera: 200 MiB, 2.5 MiB a character
                ..........
                ..........
                ..........
                ..........
                #.........
                ..........
                ..........
                ..........
                . free 200 MiB   # used 4 KiB   ~ to be zeroed 0 bytes   ! held elsewhere 0 bytes""",
                drawing);
    }

    @Test
    void a_region_of_few_pages_has_a_character_for_each() {
        assertEquals(
                """
                camera: 12 KiB, 4 KiB a character
                #.~
                . free 4 KiB   # used 4 KiB   ~ to be zeroed 4 KiB   ! held elsewhere 0 bytes""",
                drawing(
                        80,
                        new Stretch(4 * KIB, State.USED),
                        new Stretch(4 * KIB, State.FREE),
                        new Stretch(4 * KIB, State.DIRTY)));
    }
}
