// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BytesTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0 bytes",
        "1023, 1023 bytes",
        "1024, 1 KiB",
        "1536, 1.5 KiB",
        "65536, 64 KiB",
        "12441600, 11.9 MiB",
        "104962457, 100 MiB",
        "70368744177664, 64 TiB",
        "9223372036854775807, 8 EiB"
    })
    void a_size_reads_as_people_write_it(long bytes, String text) {
        assertEquals(text, Bytes.text(bytes));
    }

    @Test
    void sizes_are_rounded_up_to_whole_pages() {
        assertEquals(Bytes.PAGE, Bytes.wholePages(1));
        assertEquals(Bytes.PAGE, Bytes.wholePages(Bytes.PAGE));
        assertEquals(2 * Bytes.PAGE, Bytes.wholePages(Bytes.PAGE + 1));
        assertEquals(Long.MAX_VALUE - Bytes.PAGE + 1, Bytes.wholePages(Long.MAX_VALUE - Bytes.PAGE));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE, Long.MAX_VALUE})
    void a_size_that_cannot_be_rounded_up_is_an_error_and_never_a_small_size(long bytes) {
        assertThrows(ArithmeticException.class, () -> Bytes.wholePages(bytes));
    }

    @Test
    void a_size_is_read_as_people_write_it() {
        assertEquals(0, Bytes.parse("0"));
        assertEquals(4096, Bytes.parse("4096"));
        assertEquals(64 << 10, Bytes.parse(" 64K "));
        assertEquals(64 << 10, Bytes.parse("64k"));
        assertEquals(256 << 20, Bytes.parse("256 MiB"));
        assertEquals(3L << 30, Bytes.parse("3GB"));
        assertEquals(1L << 40, Bytes.parse("1T"));
        assertEquals(12, Bytes.parse("12 bytes"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "M", "x", "-1", "1.5M", "1X", "0x10", "4 KiB KiB"})
    void an_invalid_size_is_refused_with_a_sentence(String text) {
        Exception refusal = assertThrows(IllegalArgumentException.class, () -> Bytes.parse(text));
        assertTrue(refusal.getMessage().startsWith("'" + text + "' is not a size"), refusal.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"8388608T", "9223372036854775808", "99999999999999999999G"})
    void a_size_beyond_64_bits_is_refused_and_does_not_wrap(String text) {
        Exception refusal = assertThrows(IllegalArgumentException.class, () -> Bytes.parse(text));
        assertEquals("'" + text + "' exceeds the largest possible size", refusal.getMessage());
    }
}
