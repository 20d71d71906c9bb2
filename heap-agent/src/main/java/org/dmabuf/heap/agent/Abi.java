// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Interface of a device node that allocates memory: the struct of its ioctl, and the errors in the kernel's order. The
 * structs are the same for programs of 32 and 64 bits. Values are unsigned.
 */
enum Abi {
    /** {@code /dev/dma_heap/NAME}: u64 length, u32 fd, u32 fd_flags, u64 heap_flags. */
    DMA_HEAP("dma-heap", 24, 8) {
        @Override
        boolean allocates(int command) {
            return low(command) == DMA_HEAP_ALLOC; // of any size and direction
        }

        /** The kernel reads only with this direction, and zeroes the rest. */
        @Override
        int bytesIn(int command) {
            return (command & READ_BY_KERNEL) == 0 ? 0 : Math.min(size(command), structBytes());
        }

        @Override
        int bytesOut(int command) {
            return (command & WRITTEN_BY_KERNEL) == 0 ? 0 : Math.min(size(command), structBytes());
        }

        @Override
        boolean writesRefused() {
            return true;
        }

        @Override
        int check(MemorySegment struct) {
            boolean valid = struct.get(JAVA_INT, 8) == 0
                    && (flags(struct) & ~(O_CLOEXEC | O_ACCMODE)) == 0
                    && struct.get(JAVA_LONG, 16) == 0;
            return valid ? checkLength(length(struct)) : -Errno.EINVAL.number();
        }

        @Override
        long length(MemorySegment struct) {
            return struct.get(JAVA_LONG, 0);
        }

        @Override
        int access(MemorySegment struct) {
            return flags(struct) & O_ACCMODE;
        }

        @Override
        boolean closesOnExec(MemorySegment struct) {
            return (flags(struct) & O_CLOEXEC) != 0;
        }

        private int flags(MemorySegment struct) {
            return struct.get(JAVA_INT, 12);
        }
    },

    /** {@code /dev/ion} since Linux 4.12: u64 length, u32 heap_id_mask, u32 flags, u32 fd, u32 unused. */
    ION("ion", 24, 16) {
        @Override
        boolean allocates(int command) {
            return command == ION_ALLOC;
        }

        @Override
        int check(MemorySegment struct) {
            int length = checkLength(length(struct));
            return length != -Errno.EINVAL.number() && mask(struct) == 0 ? -Errno.ENODEV.number() : length;
        }

        @Override
        long length(MemorySegment struct) {
            return struct.get(JAVA_LONG, 0);
        }

        @Override
        long mask(MemorySegment struct) {
            return struct.get(JAVA_INT, 8) & 0xFFFF_FFFFL;
        }

        @Override
        boolean closesOnExec(MemorySegment struct) {
            return true;
        }
    },

    /** {@code /dev/cmaN}: u64 version, u64 length, u32 flags, u32 reserved1, s32 fd, u32 reserved2. */
    SIMPLE("simple", 32, 24) {
        @Override
        boolean allocates(int command) {
            return command == SIMPLE_ALLOC;
        }

        @Override
        int check(MemorySegment struct) {
            return struct.get(JAVA_LONG, 0) != 0 || checkLength(length(struct)) != 0 ? -Errno.EINVAL.number() : 0;
        }

        @Override
        long length(MemorySegment struct) {
            return struct.get(JAVA_LONG, 8);
        }

        @Override
        boolean closesOnExec(MemorySegment struct) {
            return (struct.get(JAVA_INT, 16) & O_CLOEXEC) != 0;
        }

        @Override
        int refusal(int error) {
            return -Errno.EINVAL.number();
        }
    };

    /** Low halves of the ioctl numbers: their group and number. */
    static final int DMA_HEAP_ALLOC = 0x4800;

    static final int ION_QUERY = 0xC018_4908;
    static final int O_RDWR = 2;
    static final int O_ACCMODE = 3;
    static final int O_CLOEXEC = 0x80000;
    /** Bytes of the largest struct. */
    static final int MOST_BYTES = 32;

    private static final int ION_ALLOC = 0xC018_4900;
    private static final int SIMPLE_ALLOC = 0xC020_5300;
    private static final int READ_BY_KERNEL = 0x4000_0000; // _IOC_WRITE
    private static final int WRITTEN_BY_KERNEL = 0x8000_0000; // _IOC_READ

    private final String text;
    private final int bytes;
    private final int descriptor;

    Abi(String text, int bytes, int descriptor) {
        this.text = text;
        this.bytes = bytes;
        this.descriptor = descriptor;
    }

    /** {@return the interface with a name in the settings} */
    static Optional<Abi> named(String text) {
        return Arrays.stream(values()).filter(abi -> abi.text.equals(text)).findFirst();
    }

    /** {@return group and number of an ioctl} */
    static int low(int command) {
        return command & 0xFFFF;
    }

    /** {@return bytes of the struct that an ioctl's number states} */
    static int size(int command) {
        return command >>> 16 & 0x3FFF;
    }

    /** {@return whether this ioctl allocates at a node of this interface} */
    abstract boolean allocates(int command);

    /** {@return bytes to read from the process} */
    int bytesIn(int command) {
        return bytes;
    }

    /** {@return bytes to write into the process} */
    int bytesOut(int command) {
        return bytes;
    }

    /** {@return whether the kernel writes the struct back even if it refuses the call} */
    boolean writesRefused() {
        return false;
    }

    /** {@return 0, or the negative error number for a struct that no heap needs to see} */
    abstract int check(MemorySegment struct);

    /** {@return bytes to allocate} */
    abstract long length(MemorySegment struct);

    /** {@return mask of heaps, 0 if the node stands for one heap} */
    long mask(MemorySegment struct) {
        return 0;
    }

    /** {@return O_RDONLY, O_WRONLY, O_RDWR, or the value 3} */
    int access(MemorySegment struct) {
        return O_RDWR;
    }

    abstract boolean closesOnExec(MemorySegment struct);

    /** {@return the negative error number that a caller gets for one of the gateway} */
    int refusal(int error) {
        return error;
    }

    /** Writes the new descriptor's number. */
    void setDescriptor(MemorySegment struct, int fd) {
        struct.set(JAVA_INT, descriptor, fd);
    }

    /** {@return offset of the new descriptor's number, which takes four bytes} */
    int descriptorOffset() {
        return descriptor;
    }

    int structBytes() {
        return bytes;
    }

    /** The kernel rounds up to pages, and the sum can wrap to 0. No heap has more than a positive long. */
    private static int checkLength(long length) {
        if (length == 0 || Long.compareUnsigned(length, -Bytes.PAGE) > 0) {
            return -Errno.EINVAL.number();
        }
        return length < 0 || length > Long.MAX_VALUE - Bytes.PAGE ? -Errno.ENOMEM.number() : 0;
    }

    @Override
    public String toString() {
        return text;
    }
}
