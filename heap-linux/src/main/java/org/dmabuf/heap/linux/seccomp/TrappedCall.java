// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import org.dmabuf.heap.Errno;

/**
 * System call of another process that waits for the answer of a {@link SeccompListener}, with the memory and the
 * descriptors of that process. The object is reused for one call after the other, so that a call allocates no native
 * memory.
 *
 * <p>The process can end at any time, and another thread can then get its number. So {@link SeccompListener#isValid}
 * follows each read before the bytes are used, and directly precedes each write. Limitation: between that check and a
 * write, the kernel has no lock for this process.
 *
 * <p>One thread at a time uses an object.
 */
public final class TrappedCall {
    private static final int OUR_NOTIFICATION = 80;
    private static final int OUR_RESPONSE = 24;

    // struct seccomp_notif: u64 id, u32 pid, u32 flags, then struct seccomp_data: s32 nr, u32 arch, u64 ip, u64 args[6]
    private static final long ID = 0;
    private static final long PID = 8;
    private static final long NUMBER = 16;
    private static final long ARCHITECTURE = 20;
    private static final long ARGUMENTS = 32;

    // struct seccomp_notif_resp: u64 id, s64 value, s32 error, u32 flags
    private static final long RESPONSE_ERROR = 16;
    private static final long RESPONSE_FLAGS = 20;

    // struct seccomp_notif_addfd: u64 id, u32 flags, u32 srcfd, u32 newfd, u32 newfd_flags
    private static final long ADDFD_SOURCE = 12;
    private static final long ADDFD_FLAGS = 20;
    private static final int ADDFD_BYTES = 24;

    // struct iovec: address, bytes
    private static final long IOV_LENGTH = 8;
    private static final int IOVEC_BYTES = 16;

    private static final int LINK_BYTES = 256;
    private static final int PATH_BYTES = 64;
    private static final int STATX_BYTES = 256;
    private static final int STATX_TYPE_MODE_UID = 0xB;
    private static final long STX_UID = 0x14;
    private static final long STX_MODE = 0x1C; // a short
    private static final long STX_RDEV_MAJOR = 0x80;
    private static final long STX_RDEV_MINOR = 0x84;
    private static final long STX_DEV_MAJOR = 0x88;
    private static final long STX_DEV_MINOR = 0x8C;

    private final SeccompCalls calls;
    /** As large as the kernel's structs, which can be larger than the ones of this class. */
    private final MemorySegment notification;

    private final MemorySegment response;
    private final MemorySegment addition;
    private final MemorySegment local;
    private final MemorySegment remote;
    private final MemorySegment link;
    private final MemorySegment path;
    private int pathTid;
    private int pathFd = -1;
    private final MemorySegment status;

    /**
     * Makes an object that holds no call yet.
     *
     * @throws IllegalStateException on a kernel before 5.0, or where seccomp(2) is not permitted
     */
    public TrappedCall() {
        this(SeccompCalls.linux());
    }

    TrappedCall(SeccompCalls calls) {
        this.calls = calls;
        Arena arena = Arena.ofAuto();
        MemorySegment sizes = arena.allocate(8, 8);
        int result = calls.notificationSizes(sizes.address());
        if (result < 0) {
            throw new IllegalStateException("seccomp(SECCOMP_GET_NOTIF_SIZES) failed: "
                    + Errno.of(-result).meaning() + "; use Linux 5.10 or later");
        }
        notification = arena.allocate(Math.max(OUR_NOTIFICATION, sizes.get(JAVA_SHORT, 0)), 8);
        response = arena.allocate(Math.max(OUR_RESPONSE, sizes.get(JAVA_SHORT, 2)), 8);
        addition = arena.allocate(ADDFD_BYTES, 8);
        local = arena.allocate(IOVEC_BYTES, 8);
        remote = arena.allocate(IOVEC_BYTES, 8);
        link = arena.allocate(LINK_BYTES, 8);
        path = arena.allocate(PATH_BYTES, 8);
        status = arena.allocate(STATX_BYTES, 8);
    }

    /** {@return the kernel's number of this call, unique for its listener} */
    public long id() {
        return notification.get(JAVA_LONG, ID);
    }

    /** {@return the calling thread, 0 if its PID namespace is not visible from this process} */
    public int tid() {
        return notification.get(JAVA_INT, PID);
    }

    /** {@return number of the system call on its architecture} */
    public int number() {
        return notification.get(JAVA_INT, NUMBER);
    }

    /** {@return {@code AUDIT_ARCH_*}} */
    public int architecture() {
        return notification.get(JAVA_INT, ARCHITECTURE);
    }

    /**
     * {@return an argument of the system call}
     *
     * @param index 0 to 5
     */
    public long argument(int index) {
        return notification.get(JAVA_LONG, ARGUMENTS + 8L * index);
    }

    /** {@return the call that this object holds, for {@link #load}} */
    public byte[] save() {
        return notification.toArray(JAVA_BYTE);
    }

    /**
     * Takes a call over from another object.
     *
     * @param saved result of {@link #save}
     */
    public void load(byte[] saved) {
        notification.copyFrom(MemorySegment.ofArray(saved));
    }

    /**
     * Reads memory of the process.
     *
     * @param address in the process
     * @param into space of at least {@code bytes}
     * @param bytes length to read
     * @return bytes read, which are fewer before a page that cannot be read, or a negative error number: {@link
     *     Errno#EFAULT} for the first page, {@link Errno#EPERM} without the right to trace the process
     */
    public long read(long address, MemorySegment into, long bytes) {
        prepare(address, into.asSlice(0, bytes));
        try {
            return calls.read(tid(), local.address(), remote.address());
        } finally {
            keep(into);
        }
    }

    /**
     * Writes memory of the process.
     *
     * @param address in the process
     * @param from space of at least {@code bytes}
     * @param bytes length to write
     * @return bytes written, or a negative error number, as {@link #read}
     */
    public long write(long address, MemorySegment from, long bytes) {
        prepare(address, from.asSlice(0, bytes));
        try {
            return calls.write(tid(), local.address(), remote.address());
        } finally {
            keep(from);
        }
    }

    /** Keeps memory of which a call has only the address. */
    private void keep(MemorySegment space) {
        Reference.reachabilityFence(space);
        Reference.reachabilityFence(this);
    }

    private void prepare(long address, MemorySegment space) {
        local.set(JAVA_LONG, 0, space.address());
        local.set(JAVA_LONG, IOV_LENGTH, space.byteSize());
        remote.set(JAVA_LONG, 0, address);
        remote.set(JAVA_LONG, IOV_LENGTH, space.byteSize());
    }

    /**
     * Returns the path of an open file of the process in the process's own mount namespace. It asks no file system.
     *
     * @param fd a descriptor of the process
     * @return for instance {@code /dev/null} or {@code /memfd:frame (deleted)}; empty for a closed descriptor, without
     *     the right to trace the process, and for a path of 255 bytes and more
     */
    public String pathOf(int fd) {
        long bytes = calls.readlink(entry(fd), link.address(), LINK_BYTES);
        Reference.reachabilityFence(this);
        return bytes <= 0 || bytes == LINK_BYTES
                ? ""
                : new String(link.asSlice(0, bytes).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
    }

    /**
     * Reads the type, device number and owner of an open file of the process. A file system in another process is not
     * asked.
     *
     * @param fd a descriptor of the process
     * @return whether the three methods below return the values of this file
     */
    public boolean readStatus(int fd) {
        int result = calls.statx(entry(fd), STATX_TYPE_MODE_UID, status.address());
        Reference.reachabilityFence(this);
        return result == 0;
    }

    /** A client calls for one file many times, so only the text of the path is kept. */
    private long entry(int fd) {
        if (fd != pathFd || tid() != pathTid) {
            path.setString(0, "/proc/" + tid() + "/fd/" + fd);
            pathTid = tid();
            pathFd = fd;
        }
        return path.address();
    }

    /** {@return {@code st_mode} of the last {@link #readStatus}} */
    public int mode() {
        return status.get(JAVA_SHORT, STX_MODE) & 0xFFFF;
    }

    /** {@return user id of the owner in the last {@link #readStatus}} */
    public int owner() {
        return status.get(JAVA_INT, STX_UID);
    }

    /**
     * {@return whether the last {@link #readStatus} is of a device with this number}
     *
     * @param major its driver's number
     * @param minor its own number
     */
    public boolean isDevice(int major, int minor) {
        return status.get(JAVA_INT, STX_RDEV_MAJOR) == major && status.get(JAVA_INT, STX_RDEV_MINOR) == minor;
    }

    /** {@return whether the file of the last {@link #readStatus} is on the file system with this device number} */
    boolean isOn(int major, int minor) {
        return deviceMajor(status) == major && deviceMinor(status) == minor;
    }

    static int deviceMajor(MemorySegment statx) {
        return statx.get(JAVA_INT, STX_DEV_MAJOR);
    }

    static int deviceMinor(MemorySegment statx) {
        return statx.get(JAVA_INT, STX_DEV_MINOR);
    }

    /** {@return space for the kernel's struct, which must be zeroed} */
    long emptied() {
        return notification.fill((byte) 0).address();
    }

    /** {@return the id alone, for SECCOMP_IOCTL_NOTIF_ID_VALID} */
    long identity() {
        return notification.address() + ID;
    }

    /** {@return the address of a response} */
    long response(int error, int flags) {
        response.fill((byte) 0);
        response.set(JAVA_LONG, 0, id());
        response.set(JAVA_INT, RESPONSE_ERROR, error);
        response.set(JAVA_INT, RESPONSE_FLAGS, flags);
        return response.address();
    }

    /** {@return the address of a struct that adds a descriptor at a number of the kernel's choice} */
    long addition(int source, int flags) {
        addition.fill((byte) 0);
        addition.set(JAVA_LONG, 0, id());
        addition.set(JAVA_INT, ADDFD_SOURCE, source);
        addition.set(JAVA_INT, ADDFD_FLAGS, flags);
        return addition.address();
    }
}
