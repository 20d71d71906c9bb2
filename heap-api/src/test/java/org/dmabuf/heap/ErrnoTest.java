// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ErrnoTest {
    /** 41 and 58 are second names of 11 and 35 in other systems, and unused in Linux. */
    private static final Set<Integer> UNUSED = Set.of(41, 58);

    @Test
    void every_number_up_to_the_last_of_linux_has_a_name() {
        assertEquals(
                UNUSED,
                IntStream.rangeClosed(1, Errno.EHWPOISON.number())
                        .filter(number -> Errno.of(number).number() != number)
                        .boxed()
                        .collect(Collectors.toSet()));
    }

    @Test
    void no_number_has_two_names() {
        assertEquals(
                Errno.values().length,
                Arrays.stream(Errno.values()).map(Errno::number).distinct().count());
    }

    @ParameterizedTest
    @CsvSource({
        "20, ENOTDIR", "30, EROFS", "40, ELOOP", "91, EPROTOTYPE", "97, EAFNOSUPPORT", "105, ENOBUFS",
        "109, ETOOMANYREFS", "7, E2BIG", "61, ENODATA", "122, EDQUOT", "133, EHWPOISON", "524, ENOTSUPP"
    })
    void a_number_has_the_name_that_linux_gives_it(int number, Errno errno) {
        assertEquals(errno, Errno.of(number));
    }

    @ParameterizedTest
    @EnumSource
    void each_constant_is_that_of_its_number(Errno errno) {
        assertEquals(errno, Errno.of(errno.number()));
    }

    @ParameterizedTest
    @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 41, 532, 4095, Integer.MAX_VALUE})
    void a_number_without_a_constant_is_an_io_error(int number) {
        assertEquals(Errno.EIO, Errno.of(number));
    }

    @ParameterizedTest
    @EnumSource
    void a_meaning_is_part_of_a_sentence(Errno errno) {
        assertTrue(errno.meaning().matches("[^ ].*[^ .;]"), errno.meaning());
    }
}
