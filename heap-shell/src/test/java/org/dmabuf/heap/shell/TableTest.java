// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class TableTest {
    @Test
    void cells_that_may_be_shortened_lose_their_middle_and_the_widest_first() {
        Table table = new Table("NAME…", "KIND…", "SIZE ", "STATE")
                .row("org.example.camera.driver", "short", "8 MiB", "serving")
                .row("system", "of-another-kind", "64 KiB", "serving");
        assertEquals("""
                NAME                       KIND               SIZE  STATE
                org.example.camera.driver  short             8 MiB  serving
                system                     of-another-kind  64 KiB  serving""", table.within(80));
        assertEquals("""
                NAME               KIND               SIZE  STATE
                org.exam…a.driver  short             8 MiB  serving
                system             of-another-kind  64 KiB  serving""", table.within(51));
        assertEquals("""
                NAME         KIND           SIZE  STATE
                org.e…river  short         8 MiB  serving
                system       of-an…-kind  64 KiB  serving""", table.within(41));
    }

    @Test
    void names_that_differ_at_their_ends_are_cut_at_the_beginning() {
        assertEquals(
                """
                CLIENT     SIZE
                …a.driver  1 KiB""",
                new Table("…CLIENT", "SIZE")
                        .row("org.example.camera.driver", "1 KiB")
                        .within(16));
    }

    @Test
    void a_heading_is_never_shortened() {
        assertEquals(
                "ALLOCATED\na.lo…name",
                new Table("ALLOCATED…").row("a.long.and.longer.name").within(3));
    }

    @Test
    void a_name_that_does_not_fit_has_a_separate_line() {
        assertEquals(
                """
                NAME      FREE  STATE
                system   8 MiB  serving
                a-name-of-more-than-there-is
                        16 MiB  serving""",
                new Table("NAME", "FREE ", "STATE")
                        .row("system", "8 MiB", "serving")
                        .row("a-name-of-more-than-there-is", "16 MiB", "serving")
                        .titledWithin(30));
    }

    @Test
    void half_of_a_surrogate_pair_is_not_left_over() {
        String smiles = "\ud83d\ude00".repeat(9);
        assertEquals(
                "N\n" + "\ud83d\ude00" + "…" + "\ud83d\ude00",
                new Table("N…").row(smiles).within(3));
    }

    @Test
    void a_row_of_the_wrong_length_is_refused() {
        assertThrows(IllegalArgumentException.class, () -> new Table("A", "B").row("1"));
    }
}
