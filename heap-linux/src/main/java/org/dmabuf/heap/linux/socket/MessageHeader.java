// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Native {@code struct msghdr} with one {@code iovec} and space for control data, for messages with descriptors. It is
 * allocated once for a socket. One thread at a time uses an object.
 */
final class MessageHeader {
    /** Space for four descriptors, although one is expected. The kernel closes further ones and sets MSG_CTRUNC. */
    static final int ROOM = 4;

    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_CTRUNC = 0x8;
    private static final int MSG_TRUNC = 0x20;

    // struct msghdr and struct iovec of a 64-bit Linux
    private static final long MSG_IOV = 16;
    private static final long MSG_IOVLEN = 24;
    private static final long MSG_CONTROL = 32;
    private static final long MSG_CONTROLLEN = 40;
    private static final long MSG_FLAGS = 48;
    private static final long IOVEC = 56;
    private static final long IOV_LEN = 8;

    // struct cmsghdr: length, level, type, then descriptors of 4 bytes
    private static final long CMSG_LEVEL = 8;
    private static final long CMSG_TYPE = 12;
    private static final long CMSG_DATA = 16;

    private static final long CONTROL = 72;
    private static final long CONTROL_BYTES = CMSG_DATA + 4 * ROOM;

    private final MemorySegment block = Arena.ofAuto().allocate(CONTROL + CONTROL_BYTES, 8);

    MessageHeader() {
        block.set(JAVA_LONG, MSG_IOV, block.address() + IOVEC);
        block.set(JAVA_LONG, MSG_IOVLEN, 1);
    }

    /** {@return the struct msghdr for {@link SocketCalls}} */
    MemorySegment msghdr() {
        return block;
    }

    /** Prepares a message without a descriptor, or the receipt of one: the kernel then closes every descriptor sent. */
    void plain(MemorySegment bytes) {
        bytes(bytes);
        block.set(JAVA_LONG, MSG_CONTROL, 0);
        block.set(JAVA_LONG, MSG_CONTROLLEN, 0);
    }

    /** Prepares a message with one descriptor. */
    void withDescriptor(MemorySegment bytes, int descriptor) {
        bytes(bytes);
        block.set(JAVA_LONG, MSG_CONTROL, block.address() + CONTROL);
        block.set(JAVA_LONG, MSG_CONTROLLEN, CMSG_DATA + 8); // CMSG_SPACE of one descriptor
        block.set(JAVA_LONG, CONTROL, CMSG_DATA + 4); // CMSG_LEN of one
        block.set(JAVA_INT, CONTROL + CMSG_LEVEL, SOL_SOCKET);
        block.set(JAVA_INT, CONTROL + CMSG_TYPE, SCM_RIGHTS);
        block.set(JAVA_INT, CONTROL + CMSG_DATA, descriptor);
    }

    /** Prepares the receipt of a message with at most {@link #ROOM} descriptors. */
    void forDescriptors(MemorySegment space) {
        bytes(space);
        block.set(JAVA_LONG, MSG_CONTROL, block.address() + CONTROL);
        block.set(JAVA_LONG, MSG_CONTROLLEN, CONTROL_BYTES);
    }

    private void bytes(MemorySegment bytes) {
        block.set(JAVA_LONG, IOVEC, bytes.address());
        block.set(JAVA_LONG, IOVEC + IOV_LEN, bytes.byteSize());
        block.set(JAVA_INT, MSG_FLAGS, 0);
    }

    /** {@return whether the received message had more bytes than the space} */
    boolean isCut() {
        return (block.get(JAVA_INT, MSG_FLAGS) & MSG_TRUNC) != 0;
    }

    /** {@return whether the kernel closed descriptors of the received message} */
    boolean lostDescriptors() {
        return (block.get(JAVA_INT, MSG_FLAGS) & MSG_CTRUNC) != 0;
    }

    /**
     * Takes ownership of all received descriptors at once, even if the rest of the message is invalid.
     *
     * @param room {@link #ROOM} owners
     * @return number of descriptors
     */
    int take(ForeignFd[] room) {
        int taken = 0;
        long end = CONTROL + Math.min(block.get(JAVA_LONG, MSG_CONTROLLEN), CONTROL_BYTES);
        for (long at = CONTROL; at + CMSG_DATA <= end; ) {
            long length = block.get(JAVA_LONG, at);
            if (length < CMSG_DATA || length > end - at) {
                break;
            }
            if (block.get(JAVA_INT, at + CMSG_LEVEL) == SOL_SOCKET
                    && block.get(JAVA_INT, at + CMSG_TYPE) == SCM_RIGHTS) {
                for (long data = at + CMSG_DATA; data + 4 <= at + length; data += 4) {
                    room[taken++].descriptor().own(block.get(JAVA_INT, data));
                }
            }
            at += (length + 7) & -8;
        }
        return taken;
    }
}
