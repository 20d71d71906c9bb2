// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fence;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Kernel whose files are dma-bufs that one device uses. Its sync_files are duplicates of an eventfd, which poll and
 * epoll of the running kernel report when the device has finished.
 */
public final class MadeUpFences implements AutoCloseable {
    private static final int EXPORT_SYNC_FILE = 0xC0086202;
    private static final int FILE_INFO = 0xC0383E04;
    private static final int EFD_CLOEXEC = 0x80000;

    private final Syscalls linux = Syscalls.linux();
    private final Map<String, Errno> failures = new ConcurrentHashMap<>();
    private final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    /** Descriptors that are open for a wait. */
    private final Set<Integer> open = Collections.synchronizedSet(new TreeSet<>());

    private final List<Integer> directions = Collections.synchronizedList(new ArrayList<>());
    private final int fence;
    private volatile long kind = MemoryKind.DMA_BUF_MAGIC;
    private volatile int status = 1;

    /** The system calls of this kernel. */
    public final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            Syscalls.class.getClassLoader(),
            new Class<?>[] {Syscalls.class},
            (_, method, a) -> switch (method.getName()) {
                case "fileSystem" -> failed("fileSystem") ? failure("fileSystem") : kind;
                case "ioctl" -> (int) ioctl((int) a[0], ((Long) a[1]).intValue(), (long) a[2]);
                default -> {
                    boolean failed = failed(method.getName());
                    Object result = failed ? (Object) (int) failure(method.getName()) : forward(linux, method, a);
                    if (method.getName().equals("eventfd") && !failed) {
                        open.add((int) result);
                    } else if (method.getName().equals("close")) {
                        open.remove((int) a[0]);
                    }
                    yield result;
                }
            });

    final EpollCalls epoll = (EpollCalls) Proxy.newProxyInstance(
            EpollCalls.class.getClassLoader(), new Class<?>[] {EpollCalls.class}, (_, method, a) -> {
                String name = "epoll " + method.getName();
                if (failed(name)) {
                    return (int) failure(name);
                }
                Object result = forward(EpollCalls.linux(), method, a);
                if (method.getName().equals("create")) {
                    open.add((int) result);
                }
                return result;
            });

    /** Makes a kernel whose device is at work. */
    public MadeUpFences() {
        fence = linux.eventfd(EFD_CLOEXEC);
        if (fence < 0) {
            throw new AssertionError("eventfd: " + fence);
        }
    }

    private static Object forward(Object kernel, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(kernel, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private boolean failed(String call) {
        calls.add(call);
        return failures.containsKey(call);
    }

    private long failure(String call) {
        return -failures.get(call).number();
    }

    @SuppressWarnings("restricted") // the argument of an ioctl
    private long ioctl(int fd, int request, long address) {
        MemorySegment argument = MemorySegment.ofAddress(address).reinterpret(56);
        if (request == EXPORT_SYNC_FILE) {
            if (failed("export")) {
                return failure("export");
            }
            directions.add(argument.get(JAVA_INT, 0));
            int copy = linux.fcntl(fence, Fcntl.F_DUPFD_CLOEXEC, 0);
            open.add(copy);
            argument.set(JAVA_INT, 4, copy);
            return 0;
        }
        if (request == FILE_INFO) {
            if (failed("info")) {
                return failure("info");
            }
            if (!open.contains(fd) || argument.get(JAVA_INT, 36) != 0 || argument.get(JAVA_INT, 40) != 0) {
                return -Errno.EINVAL.number();
            }
            argument.set(JAVA_INT, 32, status);
            return 0;
        }
        return -Errno.ENOTTY.number();
    }

    /** Ends the work of the device. */
    public void signal() {
        signal(1);
    }

    /** Ends the work of the device with a status: 1, or a negative error number. */
    public void signal(int with) {
        status = with;
        MemorySegment one = Arena.ofAuto().allocate(8, 8);
        one.set(JAVA_INT, 0, 1);
        if (linux.write(fence, one.address(), 8) != 8) {
            throw new AssertionError("write to the eventfd failed");
        }
        Reference.reachabilityFence(one);
    }

    /** Makes all memory a file of another kind. */
    public void kind(long magic) {
        kind = magic;
    }

    /** Fails each call from now on. */
    public void fail(String call, Errno errno) {
        failures.put(call, errno);
    }

    public void heal() {
        failures.clear();
    }

    public long count(String call) {
        synchronized (calls) {
            return calls.stream().filter(call::equals).count();
        }
    }

    /** {@return the directions of the exported sync_files: 1 for reading, 2 for writing} */
    public List<Integer> directions() {
        return List.copyOf(directions);
    }

    /** {@return the open descriptors of waits, and of the thread that watches} */
    public Set<Integer> open() {
        synchronized (open) {
            return new TreeSet<>(open);
        }
    }

    @Override
    public void close() {
        linux.close(fence);
    }
}
