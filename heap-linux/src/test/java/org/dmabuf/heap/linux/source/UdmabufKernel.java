// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Fake kernel with udmabuf, for tests of a region's own work, whose calls fail if a test sets that. Its dma-buf is a
 * memfd of its own, which does not show the region's content. The tests on a real kernel check real ones.
 */
public final class UdmabufKernel {
    private static final int F_SEAL_SHRINK_GROW_SEAL = 0x7;
    private static final int PUNCH_HOLE_KEEP_SIZE = 0x3;
    private static final int MFD_CLOEXEC_ALLOW_SEALING = 0x3;

    /** The call that opens udmabuf, whose failure does not affect other files. */
    public static final String OPEN = "open(/dev/udmabuf)";

    /** Whether it acts as a kernel before 6.11, whose holders can keep the pages of a dma-buf in a pipe. */
    public volatile boolean lendsPages;

    /** Memory of the last dma-buf: the memfd, and the offset of the range in it. */
    public volatile int region;

    public volatile long offset;

    /** Number of calls that this fake did not answer itself. */
    public final AtomicLong calls = new AtomicLong();

    /** Number of ranges that were returned to the machine. */
    public final AtomicLong punches = new AtomicLong();

    /** Threads that populated mappings, once for each call. */
    public final Queue<Thread> populated = new ConcurrentLinkedQueue<>();

    /** @param left number of calls that still get this result */
    private record Answer(long result, AtomicInteger left) {}

    private final Map<String, Answer> answers = new ConcurrentHashMap<>();
    private final Syscalls linux = Syscalls.linux();

    public final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            UdmabufKernel.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                String call = method.getName().equals("open") && a[0].equals("/dev/udmabuf") ? OPEN : method.getName();
                Answer answer = answers.get(call);
                if (answer != null && answer.left.getAndDecrement() > 0) {
                    return method.getReturnType() == int.class ? (Object) (int) answer.result : answer.result;
                }
                calls.incrementAndGet();
                if (method.getName().equals("fallocate") && (int) a[1] == PUNCH_HOLE_KEEP_SIZE) {
                    punches.incrementAndGet();
                }
                if (method.getName().equals("madvise")) {
                    populated.add(Thread.currentThread());
                }
                return switch (method.getName()) {
                    case "open" -> linux.open(a[0].equals("/dev/udmabuf") ? "/dev/null" : (String) a[0], (int) a[1]);
                    case "udmabufCreate" -> {
                        region = (int) a[1];
                        offset = (long) a[3];
                        yield create((long) a[4]);
                    }
                    case "canSplice" -> lendsPages ? linux.canSplice((long) a[0]) : 0;
                    case "dmaBufSync", "dmaBufSetName" -> 0;
                    default -> {
                        try {
                            yield method.invoke(linux, a);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    }
                };
            });

    /** Fails every call from now on. */
    public void fail(String call, Errno errno) {
        answer(call, -errno.number());
    }

    /** Fails the next call, and no later one. */
    public void failNext(String call, Errno errno) {
        failNext(call, 1, errno);
    }

    /** Fails the next calls, and no later one. */
    public void failNext(String call, int times, Errno errno) {
        answers.put(call, new Answer(-errno.number(), new AtomicInteger(times)));
    }

    /** Answers every call with a result from now on. */
    public void answer(String call, long result) {
        answers.put(call, new Answer(result, new AtomicInteger(Integer.MAX_VALUE)));
    }

    /** Removes all answers and failures. */
    public void heal() {
        answers.clear();
    }

    private int create(long size) {
        int fd = linux.memfdCreate("dma-buf", MFD_CLOEXEC_ALLOW_SEALING);
        if (fd >= 0) {
            linux.fallocate(fd, 0, 0, size);
            linux.fcntl(fd, Memfd.F_ADD_SEALS, F_SEAL_SHRINK_GROW_SEAL);
        }
        return fd;
    }
}
