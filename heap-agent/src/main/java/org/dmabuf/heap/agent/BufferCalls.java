// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.seccomp.MemfdFileSystem;
import org.dmabuf.heap.linux.seccomp.SeccompListener;

/**
 * Ioctls of a dma-buf on a buffer that is a memfd: DMA_BUF_IOCTL_SYNC and DMA_BUF_SET_NAME. Memory of the CPU needs no
 * synchronization, and a memfd keeps its name, so only the arguments matter.
 */
final class BufferCalls {
    private static final int SYNC = 0x4008_6200;
    private static final int SET_NAME_32 = 0x4004_6201;
    private static final int SET_NAME_64 = 0x4008_6201;
    private static final int GROUP = 'b';

    private static final int SYNC_BYTES = 8;
    private static final long SYNC_READ_WRITE = 3;
    private static final long SYNC_FLAGS = 7;
    /** DMA_BUF_NAME_LEN, with the NUL. */
    private static final int NAME_BYTES = 32;

    private final SeccompListener listener;
    private final Gateway gateway;
    private final MemfdFileSystem memfds;
    private final Counters counters;

    BufferCalls(SeccompListener listener, Gateway gateway, MemfdFileSystem memfds, Counters counters) {
        this.listener = listener;
        this.gateway = gateway;
        this.memfds = memfds;
        this.counters = counters;
    }

    /** {@return whether an ioctl's number is one of a dma-buf} */
    static boolean isNumber(int command) {
        return (command >>> 8 & 0xFF) == GROUP;
    }

    /** {@return whether the call is answered; otherwise the kernel must execute it} */
    boolean answer(CallSpace space) {
        int command = space.command();
        boolean sync = command == SYNC;
        if (!sync && command != SET_NAME_32 && command != SET_NAME_64 || !isOurs(space)) {
            return false;
        }
        int result = sync ? sync(space) : setName(space);
        if (!listener.answer(space.call, result)) {
            counters.vanished.increment();
        }
        return true;
    }

    /**
     * The owner of a memfd is the user of the process that made it. This holds for all buffers of the gateway, also for
     * those that another client passed on, and no table of buffers can be out of date. A dma-buf is no regular file.
     */
    private boolean isOurs(CallSpace space) {
        return space.call.readStatus(space.descriptor())
                && NodeFile.FILE.isOfCall(space.call)
                && gateway.isOf(space.call.owner())
                && (memfds.hasFileOf(space.call) || isSecret(space));
    }

    private static boolean isSecret(CallSpace space) {
        return space.call.pathOf(space.descriptor()).startsWith("/secretmem");
    }

    /** If the call has vanished, its thread's number can be another thread's: then the result has no receiver. */
    private int sync(CallSpace space) {
        if (space.call.read(space.address(), space.struct, SYNC_BYTES) != SYNC_BYTES) {
            return -Errno.EFAULT.number();
        }
        return checkSync(space.struct.get(JAVA_LONG, 0));
    }

    static int checkSync(long flags) {
        boolean valid = (flags & ~SYNC_FLAGS) == 0 && (flags & SYNC_READ_WRITE) != 0;
        return valid ? 0 : -Errno.EINVAL.number();
    }

    private int setName(CallSpace space) {
        return checkName(space.struct, space.call.read(space.address(), space.struct, NAME_BYTES));
    }

    /**
     * Checks the part of a C string that could be read.
     *
     * @param name memory with the bytes
     * @param bytes number of bytes, which are fewer than 32 at the end of readable memory; can be negative
     */
    static int checkName(MemorySegment name, long bytes) {
        for (long i = 0; i < bytes; i++) {
            if (name.get(JAVA_BYTE, i) == 0) {
                return 0;
            }
        }
        return bytes == NAME_BYTES ? -Errno.EINVAL.number() : -Errno.EFAULT.number();
    }
}
