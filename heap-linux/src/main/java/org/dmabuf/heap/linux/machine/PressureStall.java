// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.EventFd;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * Watch by pressure stall information (PSI): the kernel wakes a poll(2) when tasks have lost too much time waiting for
 * memory. The file of the cgroup is tried first, then that of the machine. If neither accepts a trigger, the watch only
 * waits for the time to pass. That is so on a kernel without PSI and in an unprivileged container.
 */
public final class PressureStall implements PressureWatch {
    /** 150 ms of lost time within 2 s, for any task. An unprivileged process may only use multiples of 2 s. */
    private static final String TRIGGER = "some 150000 2000000";

    private static final Pattern SOME_TOTAL = Pattern.compile("(?m)^some .*\\btotal=(\\d{1,18})$");

    private static final int NONE = -1;

    private final Syscalls syscalls;
    private final EventFd wake;
    private int stall;
    private boolean closed; // guarded by this, as are writes to wake

    private PressureStall(Syscalls syscalls, EventFd wake, int stall) {
        this.syscalls = syscalls;
        this.wake = wake;
        this.stall = stall;
    }

    /** {@return a watch of this process's cgroup or machine} */
    public static PressureStall open(String heap, Syscalls syscalls) {
        return open(heap, syscalls, files());
    }

    /**
     * Sets a trigger on the first file that accepts one.
     *
     * @throws HeapException when the process has no descriptor left
     */
    public static PressureStall open(String heap, Syscalls syscalls, List<String> files) {
        EventFd wake = new EventFd(syscalls);
        int opened = wake.open();
        if (opened < 0) {
            throw KernelError.of(heap, "eventfd", opened);
        }
        for (String file : files) {
            int fd = trigger(syscalls, file);
            if (fd >= 0) {
                return new PressureStall(syscalls, wake, fd);
            }
        }
        return new PressureStall(syscalls, wake, NONE);
    }

    /** {@return the time that any task of this process's cgroup or machine lost; empty without PSI} */
    public static Optional<Duration> total() {
        return total(files());
    }

    /** {@return the time of the first file that has one} */
    static Optional<Duration> total(List<String> files) {
        return files.stream()
                .flatMap(file -> ProcFile.read(Path.of(file)).stream())
                .flatMap(text -> SOME_TOTAL.matcher(text).results())
                .map(found -> Duration.of(Long.parseLong(found.group(1)), ChronoUnit.MICROS))
                .findFirst();
    }

    private static List<String> files() {
        List<String> files = new ArrayList<>();
        Path proc = Path.of("/proc");
        String second = ProcFile.read(proc.resolve("self/cgroup"))
                .orElse("")
                .lines()
                .filter(line -> line.startsWith("0::")) // version 1 has no such file
                .collect(Collectors.joining());
        OwnCgroup cgroup = OwnCgroup.locate(proc, second, CgroupId::ofThisProcess);
        if (cgroup.doubt().isEmpty() && !cgroup.levels().isEmpty()) {
            files.add(cgroup.levels().getFirst().resolve("memory.pressure").toString());
        }
        files.add("/proc/pressure/memory"); // the figure of the whole machine
        return files;
    }

    private static int trigger(Syscalls syscalls, String file) {
        int fd = syscalls.open(file, Fcntl.O_RDWR | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC);
        if (fd < 0) {
            return fd;
        }
        boolean set = false;
        try (Arena arena = Arena.ofConfined()) {
            long length = TRIGGER.length() + 1; // with its NUL
            set = syscalls.write(fd, arena.allocateFrom(TRIGGER).address(), length) == length;
        } finally {
            if (!set) {
                syscalls.close(fd);
            }
        }
        return set ? fd : NONE;
    }

    @Override
    public boolean isNotified() {
        return stall != NONE;
    }

    @Override
    public boolean await(long nanos) {
        // Rounded up, because waits of 0 ms would make a busy loop.
        long millis = Math.clamp(TimeUnit.NANOSECONDS.toMillis(nanos) + 1, 0, Integer.MAX_VALUE);
        int happened = wake.await(stall, EventFd.POLLPRI, (int) millis);
        if (happened < 0) {
            return false; // a signal: the caller repeats the wait
        }
        wake.clear();
        if ((happened & EventFd.POLLERR) != 0) { // the cgroup was removed
            syscalls.close(stall);
            stall = NONE;
        }
        return (happened & EventFd.POLLPRI) != 0;
    }

    @Override
    public synchronized void wake() {
        if (!closed) {
            wake.signal();
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            wake.close();
            if (stall != NONE) {
                syscalls.close(stall);
            }
        }
    }
}
