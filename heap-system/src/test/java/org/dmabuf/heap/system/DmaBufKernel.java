// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Fake kernel with heaps and udmabuf, for tests of a source's own work. Its dma-bufs are memfds of the running kernel.
 * The tests on a real kernel check real ones.
 */
final class DmaBufKernel {
    private static final int F_ADD_SEALS = 1033;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int F_SEAL_SHRINK_GROW_SEAL = 0x7;
    private static final int MFD_CLOEXEC_ALLOW_SEALING = 0x3;
    private static final int O_RDWR_CLOEXEC = 0x80002;

    /** Flags of each SYNC, in order. */
    final List<Long> syncs = Collections.synchronizedList(new ArrayList<>());
    /** Each name that was set, in order. */
    final List<String> names = Collections.synchronizedList(new ArrayList<>());

    private final Syscalls linux = Syscalls.linux();
    private final Map<String, Errno> refused = new ConcurrentHashMap<>();

    final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            DmaBufKernel.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                return switch (method.getName()) {
                    case "open" -> open((String) a[0], (int) a[1]);
                    case "dmaHeapAllocate" -> allocate((long) a[1], (int) a[2], (long) a[3]);
                    case "udmabufCreate" -> linux.fcntl((int) a[1], F_DUPFD_CLOEXEC, 0);
                    case "dmaBufSync" -> {
                        syncs.add((Long) a[1]);
                        yield 0;
                    }
                    case "dmaBufSetName" -> {
                        names.add((String) a[1]);
                        yield 0;
                    }
                    default -> {
                        try {
                            yield method.invoke(linux, a);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    }
                };
            });

    /** Makes the open of a device fail. */
    DmaBufKernel without(String path, Errno why) {
        refused.put(path, why);
        return this;
    }

    /** Lets the open of a device succeed again. */
    void with(String path) {
        refused.remove(path);
    }

    private int open(String path, int flags) {
        Errno why = refused.get(path);
        if (why != null) {
            return -why.number();
        }
        return linux.open(path.startsWith("/dev/") ? "/dev/null" : path, flags);
    }

    private int allocate(long length, int fdFlags, long heapFlags) {
        if (length <= 0 || fdFlags != O_RDWR_CLOEXEC || heapFlags != 0) {
            return -Errno.EINVAL.number();
        }
        int fd = linux.memfdCreate("dma-buf", MFD_CLOEXEC_ALLOW_SEALING);
        if (fd >= 0) {
            linux.fallocate(fd, 0, 0, Bytes.wholePages(length));
            linux.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK_GROW_SEAL);
        }
        return fd;
    }
}
