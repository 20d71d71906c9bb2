// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.v4l2;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Kernel with one V4L2 device, which reads and writes the structs at their addresses. A test sets its answers. It
 * counts the open descriptors and the entries for buffers.
 */
@SuppressWarnings("restricted") // the caller passes addresses, as to a kernel
final class FakeDriver {
    private static final int FD = 77;
    private static final int CHARACTER_DEVICE = 0x2000 | 0666;
    private static final int YUYV = 0x56595559;

    int capabilities = 0x1 | VideoDevice.CAP_STREAMING;
    int queue = 1;
    /** Another queue of the device, 0 for none. */
    int second;

    int planes = 1;
    long size = 614_400;
    int bufferCapabilities = 0x5;
    int open;
    int entries;
    int inUse;
    int pixelFormat = YUYV;
    /** What PREPARE_BUF answers to a descriptor. */
    IntUnaryOperator prepare = fd -> 0;
    /** The ioctl that fails, and its result; its other calls succeed before {@link #after} calls. */
    long failing;

    int result;
    int after;
    Runnable onPrepare = () -> {};
    Runnable onRelease = () -> {};
    final List<Long> calls = new ArrayList<>();
    final List<Integer> prepared = new ArrayList<>();

    FakeDriver failing(long ioctl, Errno errno) {
        return failing(ioctl, errno, 0);
    }

    FakeDriver failing(long ioctl, Errno errno, int afterCalls) {
        failing = ioctl;
        result = -errno.number();
        after = afterCalls;
        return this;
    }

    Syscalls syscalls() {
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(),
                new Class<?>[] {Syscalls.class},
                (_, method, arguments) -> switch (method.getName()) {
                    case "open" -> open();
                    case "close" -> close();
                    case "mode" -> CHARACTER_DEVICE;
                    case "ioctl" -> ioctl((long) arguments[1], (long) arguments[2]);
                    default -> throw new AssertionError(method);
                });
    }

    private int open() {
        if (failing == 0 && result < 0) {
            return result;
        }
        open++;
        return FD;
    }

    private int close() {
        open--;
        entries = 0;
        return 0;
    }

    private int ioctl(long request, long address) {
        calls.add(request);
        if (request == failing && after-- <= 0) {
            return result;
        }
        MemorySegment struct = MemorySegment.ofAddress(address).reinterpret(request >>> 16 & 0x3fff);
        return switch ((int) request) {
            case (int) VideoDevice.VIDIOC_QUERYCAP -> {
                struct.set(JAVA_INT, 84, -1);
                struct.set(JAVA_INT, 88, capabilities);
                yield 0;
            }
            case (int) VideoDevice.VIDIOC_G_FMT -> format(struct);
            case (int) VideoDevice.VIDIOC_CREATE_BUFS -> {
                struct.set(JAVA_INT, 224, bufferCapabilities);
                yield check(struct.get(JAVA_INT, 4) == 0
                        && struct.get(JAVA_INT, 8) == 4
                        && isQueue(struct.get(JAVA_INT, 16)));
            }
            case (int) VideoDevice.VIDIOC_REQBUFS -> reqbufs(struct);
            case (int) VideoDevice.VIDIOC_PREPARE_BUF -> prepareBuf(struct);
            default -> throw new AssertionError(Long.toHexString(request));
        };
    }

    private boolean isQueue(int type) {
        return type == queue || type == second;
    }

    private static int check(boolean valid) {
        return valid ? 0 : -Errno.EINVAL.number();
    }

    private int format(MemorySegment struct) {
        if (!isQueue(struct.get(JAVA_INT, 0))) {
            return -Errno.EINVAL.number();
        }
        struct.set(JAVA_INT, 8, 640);
        struct.set(JAVA_INT, 12, 480);
        struct.set(JAVA_INT, 16, pixelFormat);
        struct.set(JAVA_INT, 20, 1);
        if (queue < 9) {
            struct.set(JAVA_INT, 28, (int) size);
        } else {
            struct.set(JAVA_BYTE, 188, (byte) planes);
            for (int plane = 0; plane < Math.min(planes, 8); plane++) {
                struct.set(JAVA_INT, 28 + 20 * plane, (int) size >> plane);
            }
        }
        return 0;
    }

    private int reqbufs(MemorySegment struct) {
        if (inUse != 0) {
            return -inUse;
        }
        if (!isQueue(struct.get(JAVA_INT, 4)) || struct.get(JAVA_INT, 8) != 4) {
            return -Errno.EINVAL.number();
        }
        if (struct.get(JAVA_INT, 0) == 0 && entries > 0) {
            onRelease.run();
        }
        entries = struct.get(JAVA_INT, 0);
        struct.set(JAVA_INT, 12, bufferCapabilities);
        return 0;
    }

    private int prepareBuf(MemorySegment struct) {
        if (entries == 0 || !isQueue(struct.get(JAVA_INT, 4)) || struct.get(JAVA_INT, 60) != 4) {
            return -Errno.EINVAL.number();
        }
        int fd = struct.get(JAVA_INT, 64);
        if (queue >= 9) {
            MemorySegment all = struct.get(ADDRESS, 64).reinterpret(64L * planes);
            if (struct.get(JAVA_INT, 72) != planes) {
                return -Errno.EINVAL.number();
            }
            fd = all.get(JAVA_INT, 8);
            for (int plane = 0; plane < planes; plane++) {
                if (all.get(JAVA_INT, 64L * plane + 8) != fd) {
                    return -Errno.EINVAL.number();
                }
            }
        }
        prepared.add(fd);
        onPrepare.run();
        return prepare.applyAsInt(fd);
    }
}
