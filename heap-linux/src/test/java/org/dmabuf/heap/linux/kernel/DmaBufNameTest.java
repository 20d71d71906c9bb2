// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DmaBufNameTest {
    @ParameterizedTest
    @ValueSource(strings = {"", "camera", "0123456789012345678901234567890", "frame 7, \u20ac\u20ac\u20ac\u20ac end"})
    void a_name_that_fits_stays_as_it_is(String name) {
        assertEquals(name, DmaBufName.cut(name));
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "\u00e9", "\u20ac", "\ud83d\udcf7"})
    void a_name_that_is_too_long_loses_whole_characters_and_no_more_than_it_must(String character) {
        int bytes = character.getBytes(StandardCharsets.UTF_8).length;
        for (int before = 0; before < 4; before++) {
            String name = "a".repeat(before) + character.repeat(32);
            String cut = DmaBufName.cut(name);
            int length = cut.getBytes(StandardCharsets.UTF_8).length;
            assertTrue(name.startsWith(cut));
            assertEquals(before + (31 - before) / bytes * bytes, length);
            assertEquals(0, (cut.length() - before) % character.length());
        }
    }

    @Test
    void a_kernel_without_names_is_accepted_and_another_refusal_is_passed_on() {
        CountedSyscalls syscalls = new CountedSyscalls().answer("dmaBufSetName", -Errno.ENOTTY.number());
        DmaBufName.set(syscalls.calling(), "camera", 1_000_000, Bytes.PAGE, "frame");
        assertEquals(1, syscalls.count("dmaBufSetName"));
        syscalls.answer("dmaBufSetName", -Errno.ENOMEM.number());
        HeapException refusal = assertThrows(
                HeapException.class,
                () -> DmaBufName.set(syscalls.calling(), "camera", 1_000_000, Bytes.PAGE, "frame"));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
    }
}
