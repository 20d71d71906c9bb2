// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Large folios of one source: their use for new memfds, and a count of their bytes. A large folio is a physical run of
 * memory, 2 MiB on pages of 4 KiB, which the kernel clears, maps and releases as a whole. The memory of a large buffer
 * is thereby made in a tenth of the time.
 *
 * <p>The kernel makes one on MADV_COLLAPSE, independently of the machine's settings. Smaller folios need a setting for
 * their size. After a failure, the source makes small pages for some seconds, because the kernel searches long for
 * memory that is fragmented. The time for which it moves other memory for one buffer is limited, too.
 *
 * <p>Memory that was allocated by fallocate(2), but not touched, must never be collapsed: the kernel does not clear it.
 * One touched page in each extent is sufficient for an empty file.
 *
 * <p>Any thread may call any method.
 */
public final class LargeFolios {
    private static final QuietLog LOG = new QuietLog(LargeFolios.class);

    private static final Path SETTINGS = Path.of("/sys/kernel/mm/transparent_hugepage");
    private static final Path STATISTICS = Path.of("/proc/vmstat");
    private static final int MADV_HUGEPAGE = 14;
    private static final int MADV_COLLAPSE = 25; // since 6.1, EINVAL before

    /** Size of the smallest folio for which shareable memory has a setting that is worth an aligned mapping. */
    private static final long SMALLEST_ADVISED = 16 << 10;

    private static final Pattern GRANTED = Pattern.compile("\\[(advise|within_size|always)]");

    /** Number of times that a thread moved other memory to get a large folio. */
    private static final Pattern MOVES = Pattern.compile("(?m)^compact_stall \\d+$");

    /**
     * Effort for large folios.
     *
     * @param tries attempts for an extent with a page that the kernel is using at the moment
     * @param pauseNanos time without large folios after a failure
     */
    private record Effort(int tries, long pauseNanos) {
        /** For buffers that can have small pages as well. */
        static final Effort USUAL = new Effort(3, TimeUnit.SECONDS.toNanos(10));
        /** For buffers that need large folios. */
        static final Effort INSISTING = new Effort(100, 0);
    }

    /**
     * Time to move other memory for one buffer. One large folio can take 60 ms. Clearing takes 0.1 ms, but 5 ms on a
     * virtual machine whose host provides the memory at that moment. Small pages would not avoid that.
     */
    private static final long BUDGET_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    /** Increase of that time for each large folio, and the time from which the kernel may have moved other memory. */
    private static final long EXTENT_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final String heap;
    private final Syscalls syscalls;
    private final Path statistics;
    private final LongSupplier nanoTime;
    private final Effort effort;
    /** Bytes of a large folio; 0 if the kernel has none. */
    private final long folio;
    /** Size from which a buffer can have smaller folios by a setting. */
    private final long advisedFrom;

    private final AtomicLong held = new AtomicLong();
    private volatile long pausedUntil;
    private volatile int lastError;
    /** Whether the kernel has made a large folio, or its refusal was logged. */
    private volatile boolean known;

    /**
     * Makes the object of one source, and reads the machine's settings.
     *
     * @param heap named in refusals and in the log
     * @param syscalls the kernel
     * @throws HeapException when no descriptor is left for the reading
     */
    public LargeFolios(String heap, Syscalls syscalls) {
        this(heap, syscalls, SETTINGS, STATISTICS, System::nanoTime);
    }

    /** {@return as the constructor, for a source whose buffers need large folios; it does not pause after a failure} */
    public static LargeFolios insisting(String heap, Syscalls syscalls) {
        return new LargeFolios(heap, syscalls, SETTINGS, STATISTICS, System::nanoTime, Effort.INSISTING);
    }

    /**
     * @param settings folder of the kernel's settings
     * @param statistics file with the kernel's counts
     * @param nanoTime the clock
     */
    LargeFolios(String heap, Syscalls syscalls, Path settings, Path statistics, LongSupplier nanoTime) {
        this(heap, syscalls, settings, statistics, nanoTime, Effort.USUAL);
    }

    private LargeFolios(
            String heap, Syscalls syscalls, Path settings, Path statistics, LongSupplier nanoTime, Effort effort) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.statistics = statistics;
        this.nanoTime = nanoTime;
        this.effort = effort;
        this.folio = ProcFile.read(settings.resolve("hpage_pmd_size"))
                .map(text -> Long.parseLong(text.strip()))
                .orElse(0L);
        this.advisedFrom = advisedFrom(settings);
        this.pausedUntil = nanoTime.getAsLong();
    }

    private long advisedFrom(Path settings) {
        String inherited = ProcFile.read(settings.resolve("shmem_enabled")).orElse("");
        for (long size = SMALLEST_ADVISED; size < folio; size *= 2) {
            String own = ProcFile.read(settings.resolve("hugepages-" + (size >> 10) + "kB/shmem_enabled"))
                    .orElse("");
            if (GRANTED.matcher(own.contains("[inherit]") ? inherited : own).find()) {
                return size;
            }
        }
        return Long.MAX_VALUE;
    }

    /** {@return the source's bytes in large folios; each buffer adds its own, and subtracts them at its end} */
    public AtomicLong held() {
        return held;
    }

    /** {@return bytes of a large folio; 0 if this kernel has none} */
    public long size() {
        return folio;
    }

    /** {@return the error of the last attempt to make one, as a negative error number; 0 if it succeeded} */
    public int lastError() {
        return lastError;
    }

    /**
     * Makes the pages of a memfd, as far as it can have large folios. The caller makes all other pages.
     *
     * @param fd an empty memfd without seals. Its length is at most {@code size} afterwards
     * @param size bytes, whole pages
     * @return bytes in large folios
     * @throws HeapException {@link Errno#ENOMEM} at the limit of the process's cgroup, where an access would end the
     *     process; {@link Errno#EINTR} when the thread was interrupted between two {@linkplain Pieces pieces}
     */
    long fill(int fd, long size) {
        boolean advised = size >= advisedFrom;
        long whole = collapsible(size);
        if (whole == 0 && !advised) {
            return 0;
        }
        long alignment = Math.min(folio, Long.highestOneBit(size));
        long address = AlignedMapping.mapMemfd(syscalls, size, Mmap.PROT_READ | Mmap.PROT_WRITE, fd, alignment);
        if (address < 0) {
            return 0;
        }
        try {
            if (syscalls.ftruncate(fd, size) < 0) {
                return 0;
            }
            long large = collapse(address, whole, size);
            if (advised) {
                populate(address, whole, size);
            }
            return large;
        } finally {
            syscalls.munmap(address, size);
        }
    }

    /** {@return bytes from the start of a buffer to collapse, whole folios; the rest has small pages} */
    private long collapsible(long size) {
        return folio == 0 || nanoTime.getAsLong() - pausedUntil < 0 ? 0 : size & -folio;
    }

    private long collapse(long address, long whole, long size) {
        long budget = BUDGET_NANOS + whole / folio * EXTENT_NANOS;
        long large = 0;
        long pieceEnd = 0;
        String before = null; // the count of moves after the last slow folio
        for (long done = 0; done < whole && budget >= 0; done += folio) {
            if (done >= pieceEnd) {
                pieceEnd = done + Pieces.next(heap, done, size);
            }
            long start = nanoTime.getAsLong();
            int result = collapse(address + done);
            lastError = result;
            if (result == 0) {
                known = true;
                large += folio;
            } else if (result == -Errno.EBUSY.number()) {
                throw atTheLimit(size);
            } else if (result != -Errno.EAGAIN.number()) {
                pause(result);
                break;
            }
            long taken = nanoTime.getAsLong() - start;
            if (taken > EXTENT_NANOS) {
                String after = moves();
                if (after.isEmpty() || before != null && !after.equals(before)) {
                    budget -= taken;
                }
                before = after;
            }
        }
        return large;
    }

    /** {@return 0, or a negative error number} */
    private int collapse(long extent) {
        int result = Mmap.populate(syscalls, extent, Bytes.PAGE, Mmap.MADV_POPULATE_WRITE);
        if (result < 0) {
            return result;
        }
        int tries = 0;
        do {
            result = syscalls.madvise(extent, folio, MADV_COLLAPSE);
            tries++;
        } while (result == -Errno.EAGAIN.number() && tries < effort.tries);
        return result;
    }

    /**
     * {@return the line of the statistics, empty if the kernel has no such line} A slow folio counts only if the line
     * has changed since the last slow one of the same buffer. The first of a buffer therefore never counts: an earlier
     * reading of the line would take half as long as a folio, and an older line shows moves of other threads.
     */
    private String moves() {
        try {
            Matcher line = MOVES.matcher(ProcFile.read(statistics).orElse(""));
            return line.find() ? line.group() : "";
        } catch (HeapException e) { // no descriptor is left
            return "";
        }
    }

    /** An access at the limit would end the process, unlike this call. */
    private HeapException atTheLimit(long size) {
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                Bytes.text(size) + " does not fit: the memory cgroup of this process has reached its limit; ask for"
                        + " less, close buffers, or raise the limit (memory.max, MemoryMax= in a unit)");
    }

    private synchronized void pause(int result) {
        pausedUntil = nanoTime.getAsLong() + effort.pauseNanos;
        if (result == -Errno.EINVAL.number() && !known && effort == Effort.USUAL) {
            known = true;
            LOG.info(
                    "heap '{}': the kernel refuses large folios (EINVAL), so that buffers of {} and more take longer to"
                            + " make; they need Linux 6.1, a shmem_enabled in {} that is not deny, a"
                            + " hugepages-{}kB/shmem_enabled there that is not never, and a process with THP_enabled: 1"
                            + " in /proc/self/status",
                    heap,
                    Bytes.text(folio),
                    SETTINGS,
                    folio >> 10);
        }
    }

    /** Touches the pages from an offset on. It leaves a failure to the caller's fallocate(2), which has the reason. */
    private void populate(long address, long from, long size) {
        if (from < size && syscalls.madvise(address + from, size - from, MADV_HUGEPAGE) == 0) {
            for (long done = from; done < size; ) {
                long piece = Pieces.next(heap, done, size);
                if (Mmap.populate(syscalls, address + done, piece, Mmap.MADV_POPULATE_WRITE) < 0) {
                    return;
                }
                done += piece;
            }
        }
    }
}
