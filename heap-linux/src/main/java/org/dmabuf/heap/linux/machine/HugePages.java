// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.text.Bytes;

/** Pools of the machine's huge pages, one for each page size. An administrator fills them, best at boot. */
public final class HugePages {
    private static final int MFD_HUGE_SHIFT = 26;
    private static final String PREFIX = "hugepages-";
    private static final String SUFFIX = "kB";

    private final Path pools;
    private final Path proc;

    /**
     * @param pools folder with one pool for each page size that the kernel supports
     * @param proc folder of the proc file system
     */
    public HugePages(Path pools, Path proc) {
        this.pools = pools;
        this.proc = proc;
    }

    /** {@return the pools of this machine} */
    public static HugePages ofTheMachine() {
        return new HugePages(Path.of("/sys/kernel/mm/hugepages"), Path.of("/proc"));
    }

    /** {@return whether the kernel charges huge pages to memory cgroups, so that memory.max limits them} */
    public boolean areCharged() {
        return OwnCgroup.chargesHugePages(proc);
    }

    /** {@return the flags of memfd_create for a page size, 0 for ordinary pages} */
    public static int flags(long pageSize) {
        return pageSize == Bytes.PAGE ? 0 : Memfd.MFD_HUGETLB | Long.numberOfTrailingZeros(pageSize) << MFD_HUGE_SHIFT;
    }

    /**
     * Checks that the pool has enough free pages, before the kernel is called.
     *
     * @param heap named in a refusal
     * @param size bytes, whole huge pages
     * @param pageSize bytes
     * @param held text to add to the message when pages are missing; may be empty
     * @throws HeapException {@link Errno#ENOMEM} with the number of missing pages and the place to add them,
     *     {@link Errno#EINVAL} when this machine has no pages of that size
     */
    public void require(String heap, long size, long pageSize, String held) {
        Path pool = pool(pageSize);
        long free;
        long all;
        try {
            all = read(pool, "nr_hugepages");
            free = free(pool);
        } catch (IOException | NumberFormatException e) {
            throw HeapException.of(
                    Errno.EINVAL,
                    heap,
                    "this machine has no pages of " + Bytes.text(pageSize) + "; it has " + sizes(),
                    e);
        }
        long wanted = size / pageSize;
        if (free < wanted) {
            throw HeapException.of(
                    Errno.ENOMEM,
                    heap,
                    size + " bytes take " + wanted + (wanted == 1 ? " huge page of " : " huge pages of ")
                            + Bytes.text(pageSize) + ", and " + free + " of " + all + " are free: "
                            + (wanted - free) + (wanted - free == 1 ? " is" : " are") + " missing" + held + "; write "
                            + (all + wanted - free) + " into " + pool.resolve("nr_hugepages")
                            + (isDefault(pageSize) ? " (vm.nr_hugepages)" : "")
                            + ", or reserve them at boot (hugepagesz="
                            + Bytes.text(pageSize).replaceAll("[ iB]", "") + " hugepages="
                            + (all + wanted - free) + ")");
        }
    }

    /**
     * Checks that the machine has set aside huge pages of a size, free or not.
     *
     * @param heap named in a refusal
     * @param pageSize bytes
     * @throws HeapException {@link Errno#ENOENT} with the place to add them
     */
    public void requirePool(String heap, long pageSize) {
        Path pool = pool(pageSize);
        try {
            if (read(pool, "nr_hugepages") > 0) {
                return;
            }
        } catch (IOException | NumberFormatException e) {
            // this machine has no pages of that size
        }
        throw HeapException.of(
                Errno.ENOENT,
                heap,
                "this machine has set aside no huge pages of " + Bytes.text(pageSize) + "; write their number into "
                        + pool.resolve("nr_hugepages"));
    }

    /** {@return the number of free pages of a size, which no process has reserved; 0 if this machine has none} */
    public long free(long pageSize) {
        try {
            return free(pool(pageSize));
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }

    private static long free(Path pool) throws IOException {
        return Math.max(0, read(pool, "free_hugepages") - read(pool, "resv_hugepages"));
    }

    private Path pool(long pageSize) {
        return pools.resolve(PREFIX + (pageSize >> 10) + SUFFIX);
    }

    /** {@return the possible cause when the pool had the pages, but the kernel did not provide them} */
    public String otherLimit(long pageSize) {
        return "; the pool had the pages: another process took them, or the limit hugetlb."
                + Bytes.text(pageSize).replaceAll("[ i]", "") + ".max of this process's cgroup is below";
    }

    /** {@return whether vm.nr_hugepages sets the pool: the default size is 32 MiB on arm64 with pages of 16 KiB} */
    private boolean isDefault(long pageSize) {
        Pattern line = Pattern.compile("^Hugepagesize: *" + (pageSize >> 10) + " kB$", Pattern.MULTILINE);
        return ProcFile.read(proc.resolve("meminfo"))
                .filter(text -> line.matcher(text).find())
                .isPresent();
    }

    private String sizes() {
        TreeSet<Long> sizes = new TreeSet<>();
        sizes.add(Bytes.PAGE);
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(pools, PREFIX + "*" + SUFFIX)) {
            for (Path folder : folders) {
                String name = folder.getFileName().toString();
                sizes.add(Long.parseLong(name.substring(PREFIX.length(), name.length() - SUFFIX.length())) << 10);
            }
        } catch (IOException | NumberFormatException e) {
            // there are only ordinary pages
        }
        return sizes.stream().map(Bytes::text).collect(Collectors.joining(", "));
    }

    private static long read(Path pool, String file) throws IOException {
        return Long.parseLong(Files.readString(pool.resolve(file)).strip());
    }
}
