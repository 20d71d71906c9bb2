// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.dmabuf.heap.Errno;

/** Request of a client. */
public sealed interface Request {
    /** {@return the kind of this request} */
    Operation operation();

    /** Writes the fields after the header. */
    void write(PacketWriter payload);

    /**
     * Decodes the fields of a request.
     *
     * @param header header of the packet
     * @param packet all bytes of the packet; the result has no reference to it
     * @return the request
     * @throws MalformedPacketException {@link Errno#ENOSYS} for an unknown operation, {@link Errno#EPROTO} for a reply
     *     or another version, {@link Errno#EINVAL} for a field that is not valid
     */
    static Request decode(PacketHeader header, MemorySegment packet) {
        if (header.reply()) {
            throw new MalformedPacketException(Errno.EPROTO, "the packet is a reply: expected a request");
        }
        Operation operation = Operation.of(header.operation())
                .orElseThrow(() -> new MalformedPacketException(
                        Errno.ENOSYS,
                        "unknown operation " + header.operation() + ": expected 1 to " + Operation.values().length));
        // HELLO has the same form in every version, because it finds the version.
        if (header.version() != PacketHeader.VERSION && operation != Operation.HELLO) {
            throw new MalformedPacketException(
                    Errno.EPROTO,
                    "invalid version = " + header.version() + ": the connection has version " + PacketHeader.VERSION);
        }
        PacketReader payload = PacketHeader.payload(packet);
        Request request = operation.decode(payload);
        payload.end();
        return request;
    }

    /**
     * Encodes this request.
     *
     * @param serial number that the reply repeats
     * @param space memory for the packet; {@value PacketHeader#LONGEST_PACKET} bytes suffice for every packet
     * @return the part of the memory that has the packet
     * @throws MalformedPacketException {@link Errno#EOVERFLOW} when the packet is too long
     */
    default MemorySegment encode(long serial, MemorySegment space) {
        PacketWriter payload = PacketHeader.payloadWriter(space);
        write(payload);
        return new PacketHeader(PacketHeader.VERSION, operation().number(), false, serial).complete(space, payload);
    }

    /**
     * First request of a connection.
     *
     * @param lowest lowest version of the protocol that the client speaks
     * @param highest highest version that the client speaks
     * @param agent whether the client requests memory for another client, which the next four name
     * @param pid thread group of the agent's client; 0 unless the client is an agent
     * @param kind kind of the other client, such as {@code container}; empty unless the client is an agent
     * @param name name of the other client; empty unless the client is an agent
     * @param origin where the other client runs, such as its cgroup or container id; can be empty
     */
    record Hello(int lowest, int highest, boolean agent, int pid, String kind, String name, String origin)
            implements Request {
        private static final int ROLES = 2;

        /** {@return the first request of a program for itself} */
        public static Hello own() {
            return new Hello(PacketHeader.VERSION, PacketHeader.VERSION, false, 0, "", "", "");
        }

        static Request of(PacketReader payload) {
            int lowest = payload.u16("the lowest version");
            int highest = payload.u16("the highest version");
            int role = payload.u32("the role");
            if (role < 0 || role >= ROLES) {
                throw new MalformedPacketException(
                        "invalid role = " + Integer.toUnsignedString(role) + ": expected 0 or 1");
            }
            return new Hello(
                    lowest,
                    highest,
                    role == 1,
                    payload.u32("the process id"),
                    payload.text("the kind"),
                    payload.text("the name"),
                    payload.text("the origin"));
        }

        @Override
        public Operation operation() {
            return Operation.HELLO;
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u16(lowest).u16(highest).u32(agent ? 1 : 0).u32(pid);
            payload.text(kind).text(name).text(origin);
        }
    }

    /**
     * Request for a buffer. Every field but the size is optional: 0, an empty text, or an empty list.
     *
     * @param size in bytes
     * @param alignment in bytes
     * @param mask ids of heaps, as bits
     * @param readOnly whether the descriptor permits only reading
     * @param timeoutMillis how long to wait for memory of other holders
     * @param pid thread group for which an agent requests memory
     * @param name name of the buffer in listings
     * @param heaps names of the heaps to ask, in this order
     * @param filter properties that the heap must have
     * @param devices paths of the devices that will use the buffer
     * @param demands canonical texts of demands on the memory
     * @param emulations properties that the heap may emulate, such as {@code contiguous}
     */
    record Allocate(
            long size,
            long alignment,
            long mask,
            boolean readOnly,
            int timeoutMillis,
            int pid,
            String name,
            List<String> heaps,
            String filter,
            List<String> devices,
            List<String> demands,
            List<String> emulations)
            implements Request {
        private static final int READ_ONLY = 1;

        /** Copies the lists. */
        public Allocate {
            heaps = List.copyOf(heaps);
            devices = List.copyOf(devices);
            demands = List.copyOf(demands);
            emulations = List.copyOf(emulations);
        }

        static Request of(PacketReader payload) {
            long size = payload.u64("the size");
            long alignment = payload.u64("the alignment");
            long mask = payload.u64("the mask");
            boolean readOnly = readOnly(payload);
            int timeout = payload.u32("the timeout");
            int pid = payload.u32("the process id");
            payload.reserved32();
            return new Allocate(
                    size,
                    alignment,
                    mask,
                    readOnly,
                    timeout,
                    pid,
                    payload.text("the name"),
                    payload.texts("the names of heaps"),
                    payload.text("the filter"),
                    payload.texts("the devices"),
                    payload.texts("the demands"),
                    payload.texts("the emulations"));
        }

        static boolean readOnly(PacketReader payload) {
            int flags = payload.u32("the flags");
            if ((flags & ~READ_ONLY) != 0) {
                throw new MalformedPacketException(
                        "invalid flags = 0x" + Integer.toHexString(flags) + ": expected 0 or " + READ_ONLY);
            }
            return flags == READ_ONLY;
        }

        static int flags(boolean readOnly) {
            return readOnly ? READ_ONLY : 0;
        }

        @Override
        public Operation operation() {
            return Operation.ALLOCATE;
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u64(size).u64(alignment).u64(mask);
            payload.u32(flags(readOnly)).u32(timeoutMillis).u32(pid).u32(0);
            payload.text(name)
                    .texts(heaps)
                    .text(filter)
                    .texts(devices)
                    .texts(demands)
                    .texts(emulations);
        }
    }

    /**
     * Request for a part of the list of heaps.
     *
     * @param first index of the first heap
     */
    record Heaps(int first) implements Request {
        static Request of(PacketReader payload) {
            int first = payload.u32("the index");
            payload.reserved32();
            return new Heaps(first);
        }

        @Override
        public Operation operation() {
            return Operation.HEAPS;
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u32(first).u32(0);
        }
    }

    /** Request for the client's usage. */
    record Usage() implements Request {
        static Request of(PacketReader payload) {
            return new Usage();
        }

        @Override
        public Operation operation() {
            return Operation.USAGE;
        }

        @Override
        public void write(PacketWriter payload) {
            // no fields
        }
    }

    /**
     * Request for a part of the list of published buffers.
     *
     * @param first index of the first buffer
     */
    record Published(int first) implements Request {
        static Request of(PacketReader payload) {
            int first = payload.u32("the index");
            payload.reserved32();
            return new Published(first);
        }

        @Override
        public Operation operation() {
            return Operation.PUBLISHED;
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u32(first).u32(0);
        }
    }

    /**
     * Request for a descriptor of a published buffer.
     *
     * @param readOnly whether the client needs only to read
     * @param name name of the publication
     */
    record Open(boolean readOnly, String name) implements Request {
        static Request of(PacketReader payload) {
            boolean readOnly = Allocate.readOnly(payload);
            payload.reserved32();
            return new Open(readOnly, payload.text("the name"));
        }

        @Override
        public Operation operation() {
            return Operation.OPEN;
        }

        @Override
        public void write(PacketWriter payload) {
            payload.u32(Allocate.flags(readOnly)).u32(0).text(name);
        }
    }
}
