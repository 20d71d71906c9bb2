// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fence;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Tests of a wait for a device that ends in several ways at once. Each descriptor is closed once. The epoll is that of
 * the running kernel, and an eventfd stands for the sync_file.
 */
public class DeviceFenceEnds {
    private static final long EXPORT_SYNC_FILE = 0xC0086202L;
    private static final int EFD_CLOEXEC = 0x80000;
    private static final long SOON = TimeUnit.MICROSECONDS.toNanos(50);
    private static final long LATE = TimeUnit.SECONDS.toNanos(10);
    private static final MemorySegment ONE = Arena.ofAuto().allocateFrom(JAVA_LONG, 1);

    /** State of all tests: a device at work on a buffer. */
    @State
    public static class Working {
        private final Syscalls linux = Syscalls.linux();
        private final int work = linux.eventfd(EFD_CLOEXEC);
        /** Number of open descriptors of the fence and of the watching thread. */
        private final AtomicInteger open = new AtomicInteger();

        private final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, method, a) -> call(method, a));
        private final EpollCalls epoll = (EpollCalls) Proxy.newProxyInstance(
                EpollCalls.class.getClassLoader(), new Class<?>[] {EpollCalls.class}, (_, method, a) -> {
                    if (method.getName().equals("create")) {
                        open.incrementAndGet();
                    }
                    return method.invoke(EpollCalls.linux(), a);
                });
        final DeviceFences fences = new DeviceFences(syscalls, epoll);

        private Object call(Method method, Object[] arguments) throws ReflectiveOperationException {
            switch (method.getName()) {
                case "fileSystem" -> {
                    return MemoryKind.DMA_BUF_MAGIC;
                }
                case "ioctl" -> {
                    return ioctl((long) arguments[1], (long) arguments[2]);
                }
                case "eventfd" -> open.incrementAndGet();
                case "close" -> open.decrementAndGet();
                default -> {}
            }
            return method.invoke(linux, arguments);
        }

        /** Exports a sync_file; otherwise leaves the status at 0, which is no error. */
        @SuppressWarnings("restricted") // the argument of an ioctl
        private int ioctl(long request, long address) {
            if (request == EXPORT_SYNC_FILE) {
                int copy = linux.fcntl(work, Fcntl.F_DUPFD_CLOEXEC, 0);
                open.incrementAndGet();
                MemorySegment.ofAddress(address).reinterpret(8).set(JAVA_INT, 4, copy);
            }
            return 0;
        }

        /** {@return 0 after the signal, otherwise the number of the error} */
        int await(long nanos) {
            try (DeviceFence fence = fences.fence("stress", "buffer")) {
                fence.open(0, Access.READ);
                fence.await(nanos);
                return 0;
            } catch (HeapException e) {
                return e.errno().number();
            }
        }

        void signal() {
            linux.write(work, ONE.address(), Long.BYTES);
        }

        /** {@return the number of descriptors that stay open when all is closed; negative if one is closed twice} */
        int left() {
            fences.close();
            long start = System.nanoTime();
            while (open.get() > 0 && System.nanoTime() - start < LATE) {
                Thread.yield(); // the watching thread closes its own
            }
            linux.close(work);
            return open.get();
        }
    }

    /** A signal between the first look and the watch would be lost if the watch did not look itself. */
    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "the device finished")
    @State
    public static class SignalAgainstWait extends Working {
        @Actor
        public void await(II_Result result) {
            result.r1 = await(LATE);
        }

        @Actor
        public void finish() {
            signal();
        }

        @Arbiter
        public void end(II_Result result) {
            result.r2 = left();
        }
    }

    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "the device finished")
    @Outcome(id = "110, 0", expect = Expect.ACCEPTABLE, desc = "ETIMEDOUT")
    @State
    public static class SignalAgainstTimeout extends Working {
        @Actor
        public void await(II_Result result) {
            result.r1 = await(SOON);
        }

        @Actor
        public void finish() {
            signal();
        }

        @Arbiter
        public void end(II_Result result) {
            result.r2 = left();
        }
    }

    @JCStressTest
    @Outcome(id = "125, 0", expect = Expect.ACCEPTABLE, desc = "ECANCELED by the close")
    @State
    public static class CloseAgainstWait extends Working {
        @Actor
        public void await(II_Result result) {
            result.r1 = await(LATE);
        }

        @Actor
        public void close() {
            fences.close();
        }

        @Arbiter
        public void end(II_Result result) {
            result.r2 = left();
        }
    }

    @JCStressTest
    @Outcome(id = "110, 0", expect = Expect.ACCEPTABLE, desc = "ETIMEDOUT")
    @Outcome(id = "125, 0", expect = Expect.ACCEPTABLE, desc = "ECANCELED by the close")
    @State
    public static class CloseAgainstTimeout extends Working {
        @Actor
        public void await(II_Result result) {
            result.r1 = await(SOON);
        }

        @Actor
        public void close() {
            fences.close();
        }

        @Arbiter
        public void end(II_Result result) {
            result.r2 = left();
        }
    }

    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "the device finished")
    @Outcome(id = "125, 0", expect = Expect.ACCEPTABLE, desc = "ECANCELED by the close")
    @State
    public static class CloseAgainstSignal extends Working {
        @Actor
        public void await(II_Result result) {
            result.r1 = await(LATE);
        }

        @Actor
        public void closeAndFinish() {
            fences.close();
            signal();
        }

        @Arbiter
        public void end(II_Result result) {
            result.r2 = left();
        }
    }
}
