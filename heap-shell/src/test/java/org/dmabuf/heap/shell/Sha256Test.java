// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Sha256Test {
    @Test
    void known_input_has_the_known_checksum() throws InterruptedException {
        assertEquals(
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                Sha256.of(MemorySegment.ofArray(new byte[] {'a', 'b', 'c'})));
    }

    @Test
    void memory_of_more_than_one_piece_is_digested_whole() throws Exception {
        byte[] bytes = new byte[(64 << 20) + 12_345];
        new Random(1).nextBytes(bytes);
        assertEquals(
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)),
                Sha256.of(MemorySegment.ofArray(bytes)));
    }
}
