// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.dmabuf.heap.Errno;

/** Reply to a request. */
public sealed interface Reply {
    /** Value of a quota that is not set. */
    long NO_QUOTA = -1;

    /** {@return 0, or a negative error number} */
    default int status() {
        return 0;
    }

    /** Writes the fields after the status. */
    void write(PacketWriter payload);

    /**
     * Decodes a reply.
     *
     * @param request operation of the request
     * @param packet all bytes of the packet; the result has no reference to it
     * @return {@link Failure}, or the reply of the operation
     * @throws MalformedPacketException {@link Errno#EPROTO} for a packet that is not a reply to this operation,
     *     {@link Errno#EINVAL} for a field that is not valid
     */
    static Reply decode(Operation request, MemorySegment packet) {
        PacketHeader header = PacketHeader.of(packet);
        if (!header.reply() || header.operation() != request.number() || header.version() != PacketHeader.VERSION) {
            throw new MalformedPacketException(
                    Errno.EPROTO, header + " is not a reply to " + request + " of version " + PacketHeader.VERSION);
        }
        PacketReader payload = PacketHeader.payload(packet);
        int status = payload.u32("the status");
        payload.reserved32();
        Reply reply = status == 0 ? result(request, payload) : Failure.of(status, payload);
        payload.end();
        return reply;
    }

    private static Reply result(Operation request, PacketReader payload) {
        return switch (request) {
            case HELLO -> Welcome.of(payload);
            case ALLOCATE, OPEN -> Buffer.of(payload);
            case HEAPS -> HeapList.of(payload);
            case USAGE -> Charged.of(payload);
            case PUBLISHED -> PublishedList.of(payload);
        };
    }

    /**
     * Encodes this reply.
     *
     * @param operation number of the request's operation, which can be unknown
     * @param serial serial number of the request
     * @param space memory for the packet; {@value PacketHeader#LONGEST_PACKET} bytes suffice for every packet
     * @return the part of the memory that has the packet
     * @throws MalformedPacketException {@link Errno#EOVERFLOW} when the packet is too long
     */
    default MemorySegment encode(int operation, long serial, MemorySegment space) {
        PacketWriter payload = PacketHeader.payloadWriter(space);
        payload.u32(status()).u32(0);
        write(payload);
        return new PacketHeader(PacketHeader.VERSION, operation, true, serial).complete(space, payload);
    }

    /**
     * Error of any operation.
     *
     * @param status the negative error number
     * @param sentence the cause and the remedy
     */
    record Failure(int status, String sentence) implements Reply {
        private static final int LONGEST_SENTENCE = 4096;

        /** Cuts a long sentence, so that every failure has a packet. */
        public Failure {
            if (status >= 0) {
                throw new MalformedPacketException("invalid status = " + status + ": expected a negative number");
            }
            while (sentence.getBytes(StandardCharsets.UTF_8).length > LONGEST_SENTENCE) {
                int half = sentence.offsetByCodePoints(0, sentence.codePointCount(0, sentence.length()) / 2);
                sentence = sentence.substring(0, half);
            }
        }

        /** {@return the reply for an error} */
        public static Failure of(Errno errno, String sentence) {
            return new Failure(-errno.number(), sentence);
        }

        static Failure of(int status, PacketReader payload) {
            return new Failure(status, payload.text("the sentence"));
        }

        @Override
        public void write(PacketWriter payload) {
            payload.text(sentence);
        }
    }

    /**
     * Reply to {@link Request.Hello}.
     *
     * @param version version of the protocol of this connection
     * @param identity client to which memory is charged, as {@code KIND:NAME}
     */
    record Welcome(int version, String identity) implements Reply {
        static Welcome of(PacketReader payload) {
            int version = payload.u16("the version");
            payload.reserved16();
            return new Welcome(version, payload.text("the identity"));
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u16(version).u16(0).text(identity);
        }
    }

    /**
     * Reply to {@link Request.Allocate} and {@link Request.Open}. A descriptor comes with it.
     *
     * @param size in bytes
     * @param memfd whether the descriptor is a memfd; otherwise it is a dma-buf
     * @param heap name of the heap
     */
    record Buffer(long size, boolean memfd, String heap) implements Reply {
        static Buffer of(PacketReader payload) {
            long size = payload.u64("the size");
            int kind = payload.u32("the kind");
            if (kind != 0 && kind != 1) {
                throw new MalformedPacketException(
                        "invalid kind = " + Integer.toUnsignedString(kind) + ": expected 0 or 1");
            }
            payload.reserved32();
            return new Buffer(size, kind == 1, payload.text("the heap"));
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u64(size).u32(memfd ? 1 : 0).u32(0).text(heap);
        }
    }

    /**
     * Reply to {@link Request.Heaps}.
     *
     * @param total number of all heaps that the client may use
     * @param heaps as many of them as fit, from the requested index
     */
    record HeapList(int total, List<Heap> heaps) implements Reply {
        /** Copies the list. */
        public HeapList {
            heaps = List.copyOf(heaps);
        }

        static HeapList of(PacketReader payload) {
            return new HeapList(payload.u32("the total"), payload.list(Heap::of, "the heaps"));
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u32(total).listThatFits(heaps, (to, heap) -> heap.write(to));
        }
    }

    /**
     * Heap of a list.
     *
     * @param name its name
     * @param type its type
     * @param maskBit the bit of its id, or 0
     * @param used bytes that are charged to all clients
     * @param quota of the heap for all clients, in bytes, or {@link #NO_QUOTA}
     * @param mappable whether programs can map its memory
     * @param contiguous whether its memory is physically contiguous
     * @param dmaBuf whether its descriptors are dma-bufs; otherwise they are memfds
     */
    record Heap(
            String name,
            String type,
            long maskBit,
            long used,
            long quota,
            boolean mappable,
            boolean contiguous,
            boolean dmaBuf) {
        private static final int MAPPABLE = 1;
        private static final int CONTIGUOUS = 2;
        private static final int DMA_BUF = 4;

        static Heap of(PacketReader payload) {
            String name = payload.text("the name");
            String type = payload.text("the type");
            long mask = payload.u64("the mask");
            long used = payload.u64("the usage");
            long quota = payload.u64("the quota");
            int flags = payload.u32("the flags");
            return new Heap(
                    name,
                    type,
                    mask,
                    used,
                    quota,
                    (flags & MAPPABLE) != 0,
                    (flags & CONTIGUOUS) != 0,
                    (flags & DMA_BUF) != 0);
        }

        void write(PacketWriter payload) {
            payload.text(name).text(type).u64(maskBit).u64(used).u64(quota);
            payload.u32((mappable ? MAPPABLE : 0) | (contiguous ? CONTIGUOUS : 0) | (dmaBuf ? DMA_BUF : 0));
        }
    }

    /**
     * Reply to {@link Request.Usage}.
     *
     * @param bytes charged to the client
     * @param buffers number of buffers charged to the client
     * @param quota of the client on all heaps, in bytes, or {@link #NO_QUOTA}
     */
    record Charged(long bytes, long buffers, long quota) implements Reply {
        static Charged of(PacketReader payload) {
            return new Charged(payload.u64("the bytes"), payload.u64("the buffers"), payload.u64("the quota"));
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u64(bytes).u64(buffers).u64(quota);
        }
    }

    /**
     * Reply to {@link Request.Published}.
     *
     * @param total number of all buffers that the client may open
     * @param buffers as many of them as fit, from the requested index
     */
    record PublishedList(int total, List<PublishedEntry> buffers) implements Reply {
        /** Copies the list. */
        public PublishedList {
            buffers = List.copyOf(buffers);
        }

        static PublishedList of(PacketReader payload) {
            return new PublishedList(payload.u32("the total"), payload.list(PublishedEntry::of, "the buffers"));
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u32(total).listThatFits(buffers, (to, buffer) -> buffer.write(to));
        }
    }

    /**
     * Published buffer of a list.
     *
     * @param name name of the publication
     * @param size in bytes
     * @param heap name of the heap
     */
    record PublishedEntry(String name, long size, String heap) {
        static PublishedEntry of(PacketReader payload) {
            return new PublishedEntry(payload.text("the name"), payload.u64("the size"), payload.text("the heap"));
        }

        void write(PacketWriter payload) {
            payload.text(name).u64(size).text(heap);
        }
    }
}
