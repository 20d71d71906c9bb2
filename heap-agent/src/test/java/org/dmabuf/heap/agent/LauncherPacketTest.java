// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Test of the packets of launchers; {@code agent.fuzz} is the number of random ones. */
class LauncherPacketTest {
    private static final int PACKETS = Integer.getInteger("agent.fuzz", 20_000);
    private static final long SEED = Long.getLong("agent.seed", 20);

    @Test
    void a_request_is_decoded_as_it_was_encoded() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(LauncherPacket.MOST_BYTES, 8);
            LauncherPacket packet = new LauncherPacket(LauncherPacket.ATTACH, 0, "/dev/ion device\n");
            assertEquals(packet, LauncherPacket.request(packet.encode(space)));
        }
    }

    @Test
    void a_reply_is_no_request_and_a_long_text_is_cut() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(LauncherPacket.MOST_BYTES, 8);
            MemorySegment reply = new LauncherPacket(1, -22, "x".repeat(9000)).encode(space);
            assertEquals(LauncherPacket.MOST_BYTES, reply.byteSize());
            assertThrows(IllegalArgumentException.class, () -> LauncherPacket.request(reply));
        }
    }

    @Test
    void random_packets_are_refused_or_decoded() {
        Random random = new Random(SEED);
        int decoded = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(LauncherPacket.MOST_BYTES, 8);
            for (int i = 0; i < PACKETS; i++) {
                int length = random.nextInt(40);
                new LauncherPacket(1, 0, "some text of a request").encode(space);
                for (int changes = random.nextInt(4); changes > 0; changes--) {
                    space.set(JAVA_BYTE, random.nextInt(40), (byte) random.nextInt());
                }
                try {
                    LauncherPacket packet = LauncherPacket.request(space.asSlice(0, length));
                    assertEquals(length - 16, packet.text().getBytes(StandardCharsets.UTF_8).length);
                    decoded++;
                } catch (IllegalArgumentException e) {
                    assertTrue(e.getMessage().startsWith("invalid "), e.getMessage());
                }
            }
        }
        assertTrue(decoded > 0 && decoded < PACKETS, "decoded " + decoded);
    }
}
