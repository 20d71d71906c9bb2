// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class NumbersTest {
    @Test
    void sizes_are_read_as_people_type_them() {
        assertEquals(4096, Numbers.size("4096"));
        assertEquals(65_536, Numbers.size("64K"));
        assertEquals(65_536, Numbers.size("64k"));
        assertEquals(8L << 20, Numbers.size("8 MiB"));
        assertEquals(8L << 20, Numbers.size("8MB"));
        assertEquals(3L << 30, Numbers.size(" 3G "));
        assertEquals(1L << 40, Numbers.size("1T"));
        assertEquals(12, Numbers.size("12 bytes"));
    }

    @Test
    void what_is_no_size_is_refused_with_a_sentence() {
        for (String text : new String[] {"", "-1", "x", "1.5M", "4 KiB KiB", "0x10", "M"}) {
            Exception refusal = assertThrows(IllegalArgumentException.class, () -> Numbers.size(text), text);
            assertTrue(refusal.getMessage().startsWith("'" + text + "' is no size"), refusal.getMessage());
        }
    }

    @Test
    void a_size_beyond_64_bits_is_refused_and_does_not_wrap() {
        for (String text : new String[] {"8388608T", "9223372036854775808", "99999999999999999999G"}) {
            Exception refusal = assertThrows(IllegalArgumentException.class, () -> Numbers.size(text), text);
            assertTrue(refusal.getMessage().endsWith("is more bytes than there can be"), refusal.getMessage());
        }
    }

    @Test
    void masks_have_64_bits() {
        assertEquals(5, Numbers.mask("5"));
        assertEquals(5, Numbers.mask("0x5"));
        assertEquals(1L << 63, Numbers.mask("0x8000000000000000"));
        assertEquals(-1, Numbers.mask("18446744073709551615"));
        for (String text : new String[] {"", "x", "-1", "0x10000000000000000"}) {
            assertThrows(IllegalArgumentException.class, () -> Numbers.mask(text), text);
        }
    }
}
