// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.junit.jupiter.api.Test;

/**
 * Test of the structs of the three interfaces with random content, against a second description of the rules. The
 * property {@code agent.fuzz} is the number of structs, {@code agent.seed} the seed.
 */
class AbiTest {
    private static final int STRUCTS = Integer.getInteger("agent.fuzz", 20_000);
    private static final long SEED = Long.getLong("agent.seed", 20);
    private static final BigInteger PAGE = BigInteger.valueOf(Bytes.PAGE);
    private static final BigInteger ALL = BigInteger.ONE.shiftLeft(64);
    private static final long[] LENGTHS = {
        0,
        1,
        Bytes.PAGE - 1,
        Bytes.PAGE,
        Bytes.PAGE + 1,
        Long.MAX_VALUE,
        Long.MAX_VALUE - Bytes.PAGE,
        Long.MAX_VALUE - Bytes.PAGE + 1,
        Long.MIN_VALUE,
        -1,
        1 - Bytes.PAGE,
        -Bytes.PAGE,
        -1 - Bytes.PAGE
    };
    private static final int[] WORDS = {0, 1, 2, 3, 4, 0x800, 0x80000, 0x80002, 0x80003, 0x80004, -1, 31, 8};

    private final Random random = new Random(SEED);

    @Test
    void random_structs_are_checked_as_the_kernel_checks_them() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment struct = arena.allocate(Abi.MOST_BYTES, 8);
            for (int i = 0; i < STRUCTS; i++) {
                fill(struct);
                for (Abi abi : Abi.values()) {
                    int expected = expected(abi, struct);
                    assertEquals(expected, abi.check(struct), () -> abi + " " + words(struct) + ", seed " + SEED);
                    if (expected == 0) {
                        assertTrue(abi.length(struct) > 0, () -> words(struct));
                    }
                }
            }
        }
    }

    private void fill(MemorySegment struct) {
        for (long at = 0; at < Abi.MOST_BYTES; at += 4) {
            struct.set(JAVA_INT, at, random.nextInt(4) == 0 ? random.nextInt() : WORDS[random.nextInt(WORDS.length)]);
        }
        for (long at : new long[] {0, 8, 16}) {
            if (random.nextBoolean()) {
                struct.set(JAVA_LONG, at, LENGTHS[random.nextInt(LENGTHS.length)]);
            }
        }
    }

    private static String words(MemorySegment struct) {
        return IntStream.range(0, 8)
                .mapToObj(i -> Integer.toHexString(struct.get(JAVA_INT, i * 4L)))
                .collect(Collectors.joining(" "));
    }

    private static int expected(Abi abi, MemorySegment struct) {
        return switch (abi) {
            case DMA_HEAP -> {
                boolean zeroes = struct.get(JAVA_INT, 8) == 0 && struct.get(JAVA_LONG, 16) == 0;
                int flags = struct.get(JAVA_INT, 12);
                boolean known = flags >= 0 && flags <= 3 || flags >= 0x80000 && flags <= 0x80003;
                yield zeroes && known ? ofLength(struct.get(JAVA_LONG, 0)) : -22;
            }
            case ION -> {
                int length = ofLength(struct.get(JAVA_LONG, 0));
                yield length == -22 ? -22 : struct.get(JAVA_INT, 8) == 0 ? -19 : length;
            }
            case SIMPLE -> struct.get(JAVA_LONG, 0) == 0 && ofLength(struct.get(JAVA_LONG, 8)) == 0 ? 0 : -22;
        };
    }

    /** The kernel's sum with a page can wrap to 0. A sum that is no positive long is more than any heap has. */
    private static int ofLength(long length) {
        BigInteger unsigned = new BigInteger(Long.toUnsignedString(length));
        BigInteger rounded =
                unsigned.add(PAGE.subtract(BigInteger.ONE)).divide(PAGE).multiply(PAGE);
        if (rounded.mod(ALL).signum() == 0) {
            return -22;
        }
        return unsigned.add(PAGE).compareTo(BigInteger.valueOf(Long.MAX_VALUE)) > 0 ? -12 : 0;
    }

    @Test
    void each_interface_has_its_own_ioctls_and_no_other() {
        for (int direction = 0; direction < 4; direction++) {
            for (int low = 0; low < 1 << 16; low++) {
                int command = direction << 30 | 24 << 16 | low;
                boolean both = direction == 3;
                assertEquals(low == 0x4800, NodeCalls.isNumber(Abi.DMA_HEAP, command));
                assertEquals(both && (low == 0x4900 || low == 0x4908), NodeCalls.isNumber(Abi.ION, command));
                assertEquals(both && low == 0x5300, NodeCalls.isNumber(Abi.SIMPLE, direction << 30 | 32 << 16 | low));
                assertFalse(NodeCalls.isNumber(Abi.SIMPLE, command));
            }
        }
    }

    @Test
    void the_kernel_copies_at_most_the_struct_and_only_in_the_directions_of_the_number() {
        for (int size = 0; size < 1 << 14; size++) {
            int number = size << 16 | Abi.DMA_HEAP_ALLOC;
            assertEquals(Math.min(size, 24), Abi.DMA_HEAP.bytesIn(number | 1 << 30));
            assertEquals(Math.min(size, 24), Abi.DMA_HEAP.bytesOut(number | 2 << 30));
            assertEquals(0, Abi.DMA_HEAP.bytesIn(number | 2 << 30));
            assertEquals(0, Abi.DMA_HEAP.bytesOut(number | 1 << 30));
        }
    }

    @Test
    void a_flag_of_a_synchronization_must_name_an_access() {
        for (long flags = -1; flags < 1000; flags++) {
            boolean valid = flags >= 0 && flags < 8 && flags % 4 != 0;
            assertEquals(valid ? 0 : -Errno.EINVAL.number(), BufferCalls.checkSync(flags));
        }
        assertEquals(-Errno.EINVAL.number(), BufferCalls.checkSync(1L << 63 | 1));
    }

    @Test
    void names_of_heaps_are_cut_and_ids_above_31_are_left_out() {
        List<Reply.Heap> heaps = IonQuery.selectable(
                List.of(heap("a", 1), heap("b", 1L << 31), heap("c", 1L << 32), heap("d", 0), heap("e", 3)));
        assertEquals(List.of("b", "a"), heaps.stream().map(Reply.Heap::name).toList());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment element = arena.allocate(IonQuery.ELEMENT_BYTES, 8);
            IonQuery.write(heap("x".repeat(99), 1L << 31), element);
            assertEquals("x".repeat(31), element.getString(0));
            assertEquals(5, element.get(JAVA_INT, 32));
            assertEquals(31, element.get(JAVA_INT, 36));
        }
    }

    private static Reply.Heap heap(String name, long mask) {
        return new Reply.Heap(name, "vendor", mask, 0, Reply.NO_QUOTA, true, false, false);
    }
}
