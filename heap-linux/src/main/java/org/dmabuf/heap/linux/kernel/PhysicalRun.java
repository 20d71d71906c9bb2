// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Check that a mapping of 2 MiB is one physical run. The kernel must not be able to move or split the memory any more:
 * check it after a driver has pinned the memory.
 *
 * <p>Since Linux 6.7, any process may ask by PAGEMAP_SCAN whether one entry of a page table maps all of it. Before, the
 * frame numbers in {@code /proc/self/pagemap} show it to a process with CAP_SYS_ADMIN.
 */
public final class PhysicalRun {
    /** Bytes of a run: what one entry of a page table maps, on pages of 4 KiB. */
    public static final long BYTES = 2 << 20;

    private static final String PAGEMAP = "/proc/self/pagemap";

    // struct pm_scan_arg and struct page_region of linux/fs.h; a region is start, end and categories
    private static final long PAGEMAP_SCAN = 0xC0606610L;
    private static final long ARGUMENT = 96;
    private static final long REGION = 24;
    private static final long START = 16;
    private static final long END = 24;
    private static final long REGIONS = 40;
    private static final long REGION_COUNT = 48;
    private static final long CATEGORIES = 72;
    private static final long SHOWN_CATEGORIES = 88;
    private static final long PAGE_IS_HUGE = 1 << 6;

    /** Bits of an entry of the pagemap with the number of the frame; 0 if the process may not see it. */
    private static final long FRAME = (1L << 55) - 1;

    /** Result of a check. */
    public enum Result {
        /** The mapping is one run. */
        ONE,
        /** The mapping has several runs. */
        SEVERAL,
        /** The kernel does not show it. */
        HIDDEN
    }

    private final Syscalls syscalls;
    private final Path pagemap;
    /** The argument of the ioctl with its one region. Guarded by this. */
    private final MemorySegment argument = Arena.ofAuto().allocate(ARGUMENT + REGION, JAVA_LONG.byteAlignment());

    /** Makes a check, which takes no resources of the system between two calls. Any thread may call it. */
    public PhysicalRun(Syscalls syscalls) {
        this(syscalls, Path.of(PAGEMAP));
    }

    /** @param pagemap file with the frame numbers */
    PhysicalRun(Syscalls syscalls, Path pagemap) {
        this.syscalls = syscalls;
        this.pagemap = pagemap;
    }

    /**
     * Checks a mapping.
     *
     * @param heap named in exceptions
     * @param mapping {@value #BYTES} bytes at a multiple of that, with all its pages
     * @return whether it is one run
     * @throws org.dmabuf.heap.HeapException when no descriptor is left for the check
     */
    public Result check(String heap, MemorySegment mapping) {
        int fd = syscalls.open(PAGEMAP, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
        if (fd < 0) {
            throw KernelError.of(heap, "open(" + PAGEMAP + ")", fd);
        }
        int result;
        try {
            result = scan(fd, mapping);
        } finally {
            syscalls.close(fd);
        }
        if (result == -Errno.ENOTTY.number()) { // before Linux 6.7
            return compareFrames(mapping);
        }
        if (result < 0) {
            throw KernelError.of(heap, "ioctl(PAGEMAP_SCAN)", result);
        }
        return result == 1 ? Result.ONE : Result.SEVERAL;
    }

    /** {@return 1 if one entry maps it all, 0 if not, or a negative error number} */
    private synchronized int scan(int fd, MemorySegment mapping) {
        long region = argument.address() + ARGUMENT;
        argument.fill((byte) 0);
        argument.set(JAVA_LONG, 0, ARGUMENT);
        argument.set(JAVA_LONG, START, mapping.address());
        argument.set(JAVA_LONG, END, mapping.address() + mapping.byteSize());
        argument.set(JAVA_LONG, REGIONS, region);
        argument.set(JAVA_LONG, REGION_COUNT, 1);
        argument.set(JAVA_LONG, CATEGORIES, PAGE_IS_HUGE);
        argument.set(JAVA_LONG, SHOWN_CATEGORIES, PAGE_IS_HUGE);
        int regions = syscalls.ioctl(fd, PAGEMAP_SCAN, argument.address());
        if (regions <= 0) {
            return regions;
        }
        long start = argument.get(JAVA_LONG, ARGUMENT);
        long end = argument.get(JAVA_LONG, ARGUMENT + Long.BYTES);
        return start == mapping.address() && end == start + mapping.byteSize() ? 1 : 0;
    }

    private Result compareFrames(MemorySegment mapping) {
        int pages = Math.toIntExact(mapping.byteSize() / Bytes.PAGE);
        ByteBuffer entries = ByteBuffer.allocate(pages * Long.BYTES).order(ByteOrder.nativeOrder());
        try (RandomAccessFile file = new RandomAccessFile(pagemap.toFile(), "r")) { // an interrupt does not close it
            file.seek(mapping.address() / Bytes.PAGE * Long.BYTES);
            file.readFully(entries.array());
        } catch (IOException e) {
            ProcFile.requireDescriptors(pagemap);
            return Result.HIDDEN;
        }
        return compare(entries.asLongBuffer());
    }

    private static Result compare(LongBuffer entries) {
        long first = entries.get(0) & FRAME;
        if (first == 0) {
            return Result.HIDDEN;
        }
        for (int page = 1; page < entries.limit(); page++) {
            if ((entries.get(page) & FRAME) != first + page) {
                return Result.SEVERAL;
            }
        }
        return Result.ONE;
    }
}
