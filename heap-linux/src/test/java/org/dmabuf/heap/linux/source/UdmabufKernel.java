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
 * A kernel that seems to have udmabuf, for what a region does around it, and whose calls fail when a test says so. What
 * it calls a dma-buf is a memfd of its own, and shows nothing of the region. What a real one shows is for the suite on
 * a real kernel.
 */
public final class UdmabufKernel {
    private static final int F_SEAL_SHRINK_GROW_SEAL = 0x7;
    private static final int PUNCH_HOLE_KEEP_SIZE = 0x3;
    private static final int MFD_CLOEXEC_ALLOW_SEALING = 0x3;

    /** Whether it is a kernel before 6.11, of which holders can keep the pages of a dma-buf in a pipe. */
    public volatile boolean lendsPages;

    /** What the last dma-buf was made of: a memfd, and where in it the range begins. */
    public volatile int region;

    public volatile long offset;

    /** All calls of any kind that were not answered here. */
    public final AtomicLong calls = new AtomicLong();

    /** Ranges that were given back to the machine. */
    public final AtomicLong punches = new AtomicLong();

    /** The threads that put memory behind mappings, once for each time. */
    public final Queue<Thread> populated = new ConcurrentLinkedQueue<>();

    /** @param left how often it is answered so */
    private record Answer(long result, AtomicInteger left) {}

    private final Map<String, Answer> answers = new ConcurrentHashMap<>();
    private final Syscalls linux = Syscalls.linux();

    public final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            UdmabufKernel.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                Answer answer = answers.get(method.getName());
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
                    case "open" ->
                        linux.open(a[0].equals("/dev/udmabuf") ? "/dev/null" : (String) a[0], (int) a[1]);
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
        answers.put(call, new Answer(-errno.number(), new AtomicInteger(1)));
    }

    /** Answers every call from now on. */
    public void answer(String call, long result) {
        answers.put(call, new Answer(result, new AtomicInteger(Integer.MAX_VALUE)));
    }

    /** Takes back every answer. */
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
