// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class NumbersTest {
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
