// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Kernel whose system calls fail as a test demands. It counts each call by the name of its method in {@link Syscalls}.
 * A call with a prepared answer returns that answer and does not reach the kernel. Of several matching answers the most
 * recently prepared one is used.
 *
 * <pre>{@code
 * FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
 * kernel.failNext("fallocate", 3, Errno.EINTR);
 * }</pre>
 *
 * <p>{@code close} is an exception: it always reaches the kernel, because a descriptor is closed whatever {@code close}
 * returns. Any thread may call any method. An unknown name of a call throws {@link IllegalArgumentException} with the
 * known names.
 */
public final class FaultySyscalls implements Syscalls {
    private static final Set<String> NAMES =
            Arrays.stream(Syscalls.class.getMethods()).map(m -> m.getName()).collect(Collectors.toUnmodifiableSet());

    /** @param first number of the first call to answer, @param last number of the last one */
    private record Answer(String call, long first, long last, long result) {
        boolean isFor(String name, long number) {
            return call.equals(name) && first <= number && number <= last;
        }
    }

    private final Syscalls kernel;
    private final Map<String, Long> counts = new HashMap<>();
    private final List<Answer> answers = new ArrayList<>();

    /**
     * Makes a kernel without faults.
     *
     * @param kernel receives the calls without a prepared answer
     */
    public FaultySyscalls(Syscalls kernel) {
        this.kernel = kernel;
    }

    /**
     * Fails every call from now on.
     *
     * @param call a method of {@link Syscalls}
     * @param errno the error that it returns
     */
    public void fail(String call, Errno errno) {
        answer(call, 1, Long.MAX_VALUE, -errno.number());
    }

    /**
     * Fails the next calls, and no later ones.
     *
     * @param call a method of {@link Syscalls}
     * @param times number of calls
     * @param errno the error that they return
     */
    public void failNext(String call, int times, Errno errno) {
        answer(call, 1, times, -errno.number());
    }

    /**
     * Fails a single call.
     *
     * @param call a method of {@link Syscalls}
     * @param number 1 for the next one
     * @param errno the error that it returns
     */
    public void failOn(String call, int number, Errno errno) {
        answer(call, number, number, -errno.number());
    }

    /**
     * Answers every call from now on.
     *
     * @param call a method of {@link Syscalls}
     * @param result a value or a negative error number, as the kernel would return it
     */
    public void answer(String call, long result) {
        answer(call, 1, Long.MAX_VALUE, result);
    }

    /** Removes every prepared answer; the counts stay. */
    public synchronized void heal() {
        answers.clear();
    }

    /**
     * Returns how often a method was called, whether the call was answered here or by the kernel.
     *
     * @param call a method of {@link Syscalls}
     * @return 0 or more
     */
    public synchronized long count(String call) {
        return counts.getOrDefault(known(call), 0L);
    }

    private synchronized void answer(String call, long first, long last, long result) {
        long made = count(call);
        answers.addFirst(new Answer(call, made + first, last == Long.MAX_VALUE ? last : made + last, result));
    }

    private long call(String name, LongSupplier real) {
        Answer found;
        synchronized (this) {
            long number = counts.merge(name, 1L, Long::sum);
            found = answers.stream()
                    .filter(a -> a.isFor(name, number))
                    .findFirst()
                    .orElse(null);
        }
        if (found == null || name.equals("close")) {
            long result = real.getAsLong();
            return found == null ? result : found.result();
        }
        return found.result();
    }

    private static String known(String call) {
        if (!NAMES.contains(call)) {
            throw new IllegalArgumentException("invalid call = '" + call + "': expected one of " + NAMES);
        }
        return call;
    }

    @Override
    public int memfdCreate(String name, int flags) {
        return (int) call("memfdCreate", () -> kernel.memfdCreate(name, flags));
    }

    @Override
    public int open(String path, int flags) {
        return (int) call("open", () -> kernel.open(path, flags));
    }

    @Override
    public int close(int fd) {
        return (int) call("close", () -> kernel.close(fd));
    }

    @Override
    public int fcntl(int fd, int command, int argument) {
        return (int) call("fcntl", () -> kernel.fcntl(fd, command, argument));
    }

    @Override
    public long read(int fd, long address, long length) {
        return call("read", () -> kernel.read(fd, address, length));
    }

    @Override
    public long write(int fd, long address, long length) {
        return call("write", () -> kernel.write(fd, address, length));
    }

    @Override
    public int poll(long pollfds, int count, int millis) {
        return (int) call("poll", () -> kernel.poll(pollfds, count, millis));
    }

    @Override
    public int eventfd(int flags) {
        return (int) call("eventfd", () -> kernel.eventfd(flags));
    }

    @Override
    public int ioctl(int fd, long request, long address) {
        return (int) call("ioctl", () -> kernel.ioctl(fd, request, address));
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        return (int) call("fallocate", () -> kernel.fallocate(fd, mode, offset, length));
    }

    @Override
    public int ftruncate(int fd, long size) {
        return (int) call("ftruncate", () -> kernel.ftruncate(fd, size));
    }

    @Override
    public long mmap(long address, long length, int protection, int flags, int fd, long offset) {
        return call("mmap", () -> kernel.mmap(address, length, protection, flags, fd, offset));
    }

    @Override
    public int munmap(long address, long length) {
        return (int) call("munmap", () -> kernel.munmap(address, length));
    }

    @Override
    public int madvise(long address, long length, int advice) {
        return (int) call("madvise", () -> kernel.madvise(address, length, advice));
    }

    @Override
    public int mlock(long address, long length) {
        return (int) call("mlock", () -> kernel.mlock(address, length));
    }

    @Override
    public int canSplice(long address) {
        return (int) call("canSplice", () -> kernel.canSplice(address));
    }

    @Override
    public long inode(int fd) {
        return call("inode", () -> kernel.inode(fd));
    }

    @Override
    public long device(int fd) {
        return call("device", () -> kernel.device(fd));
    }

    @Override
    public long size(int fd) {
        return call("size", () -> kernel.size(fd));
    }

    @Override
    public int mode(int fd) {
        return (int) call("mode", () -> kernel.mode(fd));
    }

    @Override
    public int links(int fd) {
        return (int) call("links", () -> kernel.links(fd));
    }

    @Override
    public long allocated(int fd) {
        return call("allocated", () -> kernel.allocated(fd));
    }

    @Override
    public long fileSystem(int fd) {
        return call("fileSystem", () -> kernel.fileSystem(fd));
    }

    @Override
    public long seekEnd(int fd) {
        return call("seekEnd", () -> kernel.seekEnd(fd));
    }

    @Override
    public long firstHole(int fd) {
        return call("firstHole", () -> kernel.firstHole(fd));
    }

    @Override
    public int isDmaBuf(int fd) {
        return (int) call("isDmaBuf", () -> kernel.isDmaBuf(fd));
    }

    @Override
    public int dmaHeapAllocate(int node, long length, int fdFlags, long heapFlags) {
        return (int) call("dmaHeapAllocate", () -> kernel.dmaHeapAllocate(node, length, fdFlags, heapFlags));
    }

    @Override
    public int dmaBufSync(int fd, long flags) {
        return (int) call("dmaBufSync", () -> kernel.dmaBufSync(fd, flags));
    }

    @Override
    public int dmaBufSetName(int fd, String name) {
        return (int) call("dmaBufSetName", () -> kernel.dmaBufSetName(fd, name));
    }

    @Override
    public int udmabufCreate(int device, int memfd, int flags, long offset, long size) {
        return (int) call("udmabufCreate", () -> kernel.udmabufCreate(device, memfd, flags, offset, size));
    }
}
