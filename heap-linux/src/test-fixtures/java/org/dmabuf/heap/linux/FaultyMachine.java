// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static java.util.Map.entry;
import static org.dmabuf.heap.Errno.EAGAIN;
import static org.dmabuf.heap.Errno.EBUSY;
import static org.dmabuf.heap.Errno.EFAULT;
import static org.dmabuf.heap.Errno.EINTR;
import static org.dmabuf.heap.Errno.EINVAL;
import static org.dmabuf.heap.Errno.EIO;
import static org.dmabuf.heap.Errno.EMFILE;
import static org.dmabuf.heap.Errno.ENFILE;
import static org.dmabuf.heap.Errno.ENOMEM;
import static org.dmabuf.heap.Errno.ENOSPC;
import static org.dmabuf.heap.Errno.EPERM;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.holder.MadeUpHolders;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.machine.PressureStall;
import org.dmabuf.heap.linux.machine.PressureWatch;
import org.dmabuf.heap.linux.secret.MadeUpSecrets;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * The running machine, but its calls fail now and then, each only with errors that it can really return. At times the
 * machine has little free memory, and its clock advances by leaps. A seed determines the faults, separately for each
 * thread.
 */
public final class FaultyMachine {
    /** Free bytes outside of shortages. */
    public static final long ROOM = 1L << 40;

    private static final long SHORT = 256 << 10;
    /**
     * Each call fails once in this number of times. So a third of the attempts to create and map a buffer contain a
     * failure.
     */
    private static final int ONE_IN = 12;

    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int MADV_COLLAPSE = 25;

    /** Errors of each call. close and munmap never fail, because they release their resource whatever they return. */
    private static final Map<String, List<Errno>> FAULTS = Map.ofEntries(
            entry("memfdCreate", List.of(EMFILE, ENFILE, ENOMEM)),
            entry("open", List.of(EMFILE, ENFILE, ENOMEM)),
            entry("fallocate", List.of(EINTR, ENOSPC, ENOMEM)),
            entry("ftruncate", List.of(ENOMEM)),
            entry("mmap", List.of(ENOMEM, EAGAIN)),
            entry("madvise", List.of(EINTR, EAGAIN, ENOMEM, EFAULT, EINVAL)),
            entry("mlock", List.of(ENOMEM, EAGAIN, EPERM)),
            entry("canSplice", List.of(EMFILE, ENFILE)),
            entry("inode", List.of(ENOMEM)),
            entry("mode", List.of(ENOMEM)),
            entry("links", List.of(ENOMEM)),
            entry("fileSystem", List.of(ENOMEM)),
            entry("dmaHeapAllocate", List.of(ENOMEM, EMFILE)),
            entry("dmaBufSync", List.of(EINTR, EAGAIN, ENOMEM, EIO)),
            entry("dmaBufSetName", List.of(ENOMEM)),
            entry("udmabufCreate", List.of(ENOMEM, EINVAL, EMFILE)),
            // calls for secret memory
            entry("memfdSecret", List.of(EMFILE, ENFILE, ENOMEM)),
            // calls for tracking peers
            entry("inotify", List.of(EMFILE, ENFILE, ENOMEM)),
            entry("addWatch", List.of(ENOSPC, ENOMEM)),
            entry("eventfd", List.of(EMFILE, ENFILE, ENOMEM)),
            entry("poll", List.of(EINTR)),
            entry("lock", List.of(ENOMEM)));

    private final ThreadLocal<Random> random;
    private final AtomicLong clock = new AtomicLong();
    private final Map<String, Integer> failed = new TreeMap<>();
    private volatile boolean healed;

    public final Syscalls syscalls = over(Syscalls.class, Syscalls.linux());
    final MadeUpSecrets secrets = new MadeUpSecrets(this::over);
    private final MadeUpHolders holders = new MadeUpHolders(syscalls, this::over);
    public final Headroom headroom = MadeUpHeadroom.of(() -> left(), clock::get);

    /** @param seed determines the faults */
    public FaultyMachine(long seed) {
        random = ThreadLocal.withInitial(
                () -> new Random(seed ^ Thread.currentThread().getName().hashCode()));
    }

    /** Ends all faults, and advances the clock by an hour. */
    public void heal() {
        healed = true;
        tick(TimeUnit.HOURS.toNanos(1));
    }

    /** {@return a tracker of memory on this machine} */
    public HolderTracker watching() {
        return holders.tracker();
    }

    long now() {
        return clock.get();
    }

    public void tick(long nanos) {
        clock.addAndGet(nanos);
    }

    /** {@return how often each call failed with which error} */
    public synchronized Map<String, Integer> failed() {
        return new TreeMap<>(failed);
    }

    /** {@return a watch of the kernel's memory pressure, which at times reports pressure without a cause} */
    PressureWatch pressure(String heap) {
        PressureStall stall = PressureStall.open(heap, syscalls);
        return new PressureWatch() {
            @Override
            public boolean isNotified() {
                return stall.isNotified();
            }

            @Override
            public boolean await(long nanos) {
                // The caller's time limit belongs to this machine's clock, so the real wait is short.
                return stall.await(Math.min(nanos, TimeUnit.MILLISECONDS.toNanos(5))) || strikes(ONE_IN);
            }

            @Override
            public void wake() {
                stall.wake();
            }

            @Override
            public void close() {
                stall.close();
            }
        };
    }

    private long left() {
        return strikes(6) ? random.get().nextLong(SHORT) : ROOM;
    }

    private boolean strikes(int oneIn) {
        return !healed && random.get().nextInt(oneIn) == 0;
    }

    private <T> T over(Class<T> calls, T kernel) {
        return calls.cast(Proxy.newProxyInstance(
                calls.getClassLoader(), new Class<?>[] {calls}, (_, method, arguments) -> {
                    if (strikes(ONE_IN)) {
                        if (method.getName().equals("fdinfo")
                                || method.getName().equals("locks")) {
                            throw new IOException("made up");
                        }
                        if (method.getName().equals("read") && (long) arguments[2] > 8) { // not of a counter
                            arguments[2] = Math.ceilDiv((long) arguments[2], 2);
                        }
                        Errno errno = errno(method.getName(), arguments);
                        if (errno != null) {
                            return result(method, errno);
                        }
                    }
                    method.setAccessible(true); // some of the interfaces are package-private
                    try {
                        return method.invoke(kernel, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }));
    }

    private Errno errno(String call, Object[] arguments) {
        List<Errno> possible = FAULTS.getOrDefault(call, List.of());
        if (call.equals("fcntl")) {
            possible = switch ((int) arguments[1]) {
                case Memfd.F_ADD_SEALS -> List.of(EPERM, EBUSY);
                case F_DUPFD_CLOEXEC -> List.of(EMFILE);
                default -> possible;
            };
        }
        if (call.equals("madvise") && (int) arguments[2] == MADV_COLLAPSE) {
            possible = List.of(EAGAIN, EBUSY, ENOMEM, EINVAL);
        }
        return possible.isEmpty() ? null : possible.get(random.get().nextInt(possible.size()));
    }

    private Object result(Method method, Errno errno) {
        synchronized (this) {
            failed.merge(method.getName() + " " + errno, 1, Integer::sum);
        }
        long result = -errno.number();
        return method.getReturnType() == int.class ? (Object) (int) result : (Object) result;
    }
}
