// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PacketsTest {
    private static final int PACKETS = Integer.getInteger("native.fuzz", 30_000);
    private static final long SEED = Long.getLong("native.seed", 20_260_101);
    private static final long SERIAL = 0x1122_3344_5566_7788L;

    private final MemorySegment space = Arena.ofAuto().allocate(PacketHeader.LONGEST_PACKET);

    static Stream<Request> requests() {
        return Stream.of(
                Request.Hello.own(),
                new Request.Hello(1, 3, true, 4711, "container", "camera-app", "/system.slice/camera"),
                new Request.Allocate(
                        1 << 20,
                        4096,
                        1L << 63,
                        true,
                        250,
                        4711,
                        "frame \u00e9",
                        List.of("camera", "system"),
                        "(heap.dmabuf=true)",
                        List.of("/dev/video0"),
                        List.of("pitch=64"),
                        List.of("contiguous")),
                new Request.Allocate(-1, 0, 0, false, 0, 0, "", List.of(), "", List.of(), List.of(), List.of()),
                new Request.Heaps(17),
                new Request.Usage(),
                new Request.Published(0),
                new Request.Open(true, "camera/frame"));
    }

    record Answer(Operation to, Reply reply) {}

    static Stream<Answer> replies() {
        return Stream.of(
                new Answer(Operation.HELLO, new Reply.Welcome(1, "uid:1000")),
                new Answer(Operation.ALLOCATE, new Reply.Buffer(1 << 20, true, "system")),
                new Answer(Operation.OPEN, new Reply.Buffer(4096, false, "camera")),
                new Answer(
                        Operation.HEAPS,
                        new Reply.HeapList(
                                2,
                                List.of(
                                        new Reply.Heap("system", "system", 1, 4096, 1 << 30, true, false, false),
                                        new Reply.Heap("cma", "cma", 0, 0, Reply.NO_QUOTA, false, true, true)))),
                new Answer(Operation.USAGE, new Reply.Charged(4096, 1, Reply.NO_QUOTA)),
                new Answer(
                        Operation.PUBLISHED,
                        new Reply.PublishedList(1, List.of(new Reply.PublishedEntry("frame", 4096, "system")))),
                new Answer(Operation.ALLOCATE, Reply.Failure.of(Errno.ENOMEM, "no memory; close a buffer")));
    }

    @ParameterizedTest
    @MethodSource("requests")
    void a_request_is_decoded_as_it_was_encoded(Request request) {
        MemorySegment packet = request.encode(SERIAL, space);
        PacketHeader header = PacketHeader.of(packet);
        assertEquals(SERIAL, header.serial());
        assertEquals(request, Request.decode(header, packet));
    }

    @ParameterizedTest
    @MethodSource("replies")
    void a_reply_is_decoded_as_it_was_encoded(Answer answer) {
        MemorySegment packet = answer.reply().encode(answer.to().number(), SERIAL, space);
        assertEquals(SERIAL, PacketHeader.of(packet).serial());
        assertEquals(answer.reply(), Reply.decode(answer.to(), packet));
    }

    @Test
    void the_bytes_of_a_packet_are_those_of_the_published_table() {
        MemorySegment packet = new Request.Open(true, "ab").encode(5, space);
        assertEquals(24 + 8 + 2 + 2, packet.byteSize());
        assertEquals(0x48414D44, packet.get(JAVA_INT, 0));
        assertEquals(1, packet.get(JAVA_SHORT, 4));
        assertEquals(6, packet.get(JAVA_SHORT, 6));
        assertEquals(36, packet.get(JAVA_INT, 8));
        assertEquals(0, packet.get(JAVA_INT, 12));
        assertEquals(5, packet.get(JAVA_LONG, 16));
        assertEquals(1, packet.get(JAVA_INT, 24));
        assertEquals(0, packet.get(JAVA_INT, 28));
        assertEquals(2, packet.get(JAVA_SHORT, 32));
        assertEquals('a', packet.get(JAVA_BYTE, 34));

        MemorySegment reply = Reply.Failure.of(Errno.EACCES, "no").encode(6, 5, space);
        assertEquals(1, reply.get(JAVA_INT, 12));
        assertEquals(-13, reply.get(JAVA_INT, 24));
        assertEquals(2, reply.get(JAVA_SHORT, 32));
        assertEquals(36, reply.byteSize());
    }

    @Test
    void invalid_headers_are_refused() {
        assertEquals(Errno.EPROTO, refusedHeader(space.asSlice(0, 23)));
        MemorySegment packet = new Request.Usage().encode(1, space);
        for (long field : new long[] {0, 8, 12}) {
            int before = packet.get(JAVA_INT, field);
            packet.set(JAVA_INT, field, before ^ 0x10);
            assertEquals(Errno.EPROTO, refusedHeader(packet));
            packet.set(JAVA_INT, field, before);
        }
        packet.set(JAVA_SHORT, 6, (short) 99);
        assertEquals(Errno.ENOSYS, refused(packet));
        packet.set(JAVA_SHORT, 6, (short) Operation.USAGE.number());
        packet.set(JAVA_SHORT, 4, (short) 2);
        assertEquals(Errno.EPROTO, refused(packet));
    }

    @Test
    void reserved_bytes_unknown_flags_and_further_bytes_are_refused() {
        MemorySegment reserved = new Request.Heaps(1).encode(1, space);
        reserved.set(JAVA_INT, 28, 1);
        assertEquals(Errno.EINVAL, refused(reserved));

        MemorySegment flags = new Request.Open(false, "x").encode(1, space);
        flags.set(JAVA_INT, 24, 2);
        assertEquals(Errno.EINVAL, refused(flags));

        MemorySegment longer =
                space.asSlice(0, new Request.Usage().encode(1, space).byteSize() + 1);
        longer.set(JAVA_INT, 8, (int) longer.byteSize());
        assertEquals(Errno.EINVAL, refused(longer));
    }

    @Test
    void a_text_that_is_not_utf_8_is_refused() {
        MemorySegment packet = new Request.Open(false, "ab").encode(1, space);
        packet.set(JAVA_BYTE, 34, (byte) 0xFF);
        assertEquals(Errno.EINVAL, refused(packet));
    }

    @Test
    void a_hello_of_a_later_version_can_be_read() {
        MemorySegment packet = new Request.Hello(1, 7, false, 0, "", "", "").encode(1, space);
        packet.set(JAVA_SHORT, 4, (short) 7);
        assertEquals(7, ((Request.Hello) Request.decode(PacketHeader.of(packet), packet)).highest());
    }

    @Test
    void a_list_has_as_many_elements_as_fit_and_the_total_of_all() {
        List<Reply.PublishedEntry> all =
                Collections.nCopies(1000, new Reply.PublishedEntry("x".repeat(100), 4096, "system"));
        MemorySegment packet = new Reply.PublishedList(1000, all).encode(5, 1, space);
        assertTrue(packet.byteSize() <= PacketHeader.LONGEST_PACKET);
        Reply.PublishedList part = (Reply.PublishedList) Reply.decode(Operation.PUBLISHED, packet);
        assertEquals(1000, part.total());
        assertEquals(
                (PacketHeader.LONGEST_PACKET - 24 - 8 - 4 - 2) / (2 + 100 + 8 + 2 + 6),
                part.buffers().size());
    }

    @Test
    void a_request_that_is_too_long_is_refused_by_its_sender() {
        Request.Open open = new Request.Open(false, "x".repeat(17_000));
        assertEquals(
                Errno.EOVERFLOW,
                assertThrows(MalformedPacketException.class, () -> open.encode(1, space))
                        .errno());
    }

    @Test
    void a_sentence_of_any_length_fits() {
        MemorySegment packet =
                Reply.Failure.of(Errno.EIO, "\ud83d\ude00".repeat(30_000)).encode(1, 1, space);
        Reply.Failure failure = (Reply.Failure) Reply.decode(Operation.HELLO, packet);
        assertTrue(failure.sentence().startsWith("\ud83d\ude00"));
    }

    @Test
    void random_packets_cause_no_other_exception() {
        Random random = new Random(SEED);
        for (int i = 0; i < PACKETS; i++) {
            byte[] bytes = new byte[random.nextInt(200)];
            random.nextBytes(bytes);
            decodeInto(bytes, random);
        }
    }

    @Test
    void mutated_packets_cause_no_other_exception() {
        List<byte[]> valid = new ArrayList<>();
        requests().forEach(request -> valid.add(request.encode(SERIAL, space).toArray(JAVA_BYTE)));
        replies()
                .forEach(answer -> valid.add(answer.reply()
                        .encode(answer.to().number(), SERIAL, space)
                        .toArray(JAVA_BYTE)));
        Random random = new Random(SEED);
        int decoded = 0;
        for (int i = 0; i < PACKETS; i++) {
            byte[] bytes = valid.get(random.nextInt(valid.size())).clone();
            for (int change = random.nextInt(1, 4); change > 0; change--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            byte[] cut = random.nextInt(4) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
            decoded += decodeInto(cut, random);
        }
        assertTrue(decoded > PACKETS / 12, decoded + " mutated packets reached a field after the header");
    }

    /**
     * Decodes a packet in memory that ends with it, so that a read past the packet throws IndexOutOfBoundsException.
     *
     * @return 1 if the header was valid
     */
    private static int decodeInto(byte[] bytes, Random random) {
        MemorySegment packet = MemorySegment.ofArray(bytes).asReadOnly();
        if (bytes.length >= 12 && random.nextBoolean()) {
            MemorySegment.ofArray(bytes).set(JAVA_INT.withByteAlignment(1), 0, 0x48414D44);
            MemorySegment.ofArray(bytes).set(JAVA_INT.withByteAlignment(1), 8, bytes.length);
        }
        for (Operation operation : Operation.values()) {
            try {
                Reply.decode(operation, packet);
            } catch (MalformedPacketException e) {
                // the only exception that is permitted
            }
        }
        try {
            PacketHeader header = PacketHeader.of(packet);
            try {
                Request.decode(header, packet);
            } catch (MalformedPacketException e) {
                // the only exception that is permitted
            }
            return 1;
        } catch (MalformedPacketException e) {
            return 0;
        }
    }

    private static Errno refusedHeader(MemorySegment packet) {
        return assertThrows(MalformedPacketException.class, () -> PacketHeader.of(packet))
                .errno();
    }

    private static Errno refused(MemorySegment packet) {
        PacketHeader header = PacketHeader.of(packet);
        return assertThrows(MalformedPacketException.class, () -> Request.decode(header, packet))
                .errno();
    }
}
