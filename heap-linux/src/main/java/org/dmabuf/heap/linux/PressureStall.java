// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.dmabuf.heap.HeapException;

/**
 * Pressure stall information: the kernel wakes a poll(2) when tasks lost too much time waiting for memory. The cgroup's
 * own file is asked first, then the machine's; where neither takes a trigger (a kernel without PSI, a container without
 * the right to) it only waits.
 */
final class PressureStall implements PressureWatch {
    /** 150 ms of 2 s lost by any task; a process without privileges may only use multiples of 2 s. */
    private static final String TRIGGER = "some 150000 2000000\0";

    private static final int NONE = -1;
    private static final short POLLIN = 0x1;
    private static final short POLLPRI = 0x2;
    private static final short POLLERR = 0x8;
    private static final long POLLFD = 8; // int fd, short events, short revents

    private static final MethodHandle POLL =
            Libc.link("poll", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle WRITE =
            Libc.link("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));

    private final Syscalls syscalls;
    private final MemorySegment counter = Arena.ofAuto().allocate(8, 8);
    private final int wake;
    private int stall;
    private boolean closed; // guarded by this, as is who writes to wake

    private PressureStall(Syscalls syscalls, int wake, int stall) {
        this.syscalls = syscalls;
        this.wake = wake;
        this.stall = stall;
    }

    /** {@return a watch of this process's cgroup or machine} */
    static PressureStall open(String heap, Syscalls syscalls) {
        return open(heap, syscalls, files());
    }

    /**
     * Sets a trigger on the first file that takes one.
     *
     * @throws HeapException when the process has no descriptor left
     */
    static PressureStall open(String heap, Syscalls syscalls, List<String> files) {
        int wake = PeerCalls.linux().eventfd();
        if (wake < 0) {
            throw Refusal.of(heap, "eventfd", wake);
        }
        for (String file : files) {
            int fd = trigger(syscalls, file);
            if (fd >= 0) {
                return new PressureStall(syscalls, wake, fd);
            }
        }
        return new PressureStall(syscalls, wake, NONE);
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
        files.add("/proc/pressure/memory"); // the next best figure
        return files;
    }

    private static int trigger(Syscalls syscalls, String file) {
        int fd = syscalls.open(file, Fcntl.O_RDWR | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC);
        if (fd < 0) {
            return fd;
        }
        MemorySegment block = Libc.block();
        Libc.text(block, TRIGGER);
        try {
            long written = (long) WRITE.invokeExact(block, fd, block.address() + Libc.TEXT, (long) TRIGGER.length());
            if (written == TRIGGER.length()) {
                return fd;
            }
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
        syscalls.close(fd);
        return NONE;
    }

    @Override
    public boolean tells() {
        return stall != NONE;
    }

    @Override
    public boolean await(long nanos) {
        // Rounded up, or a wait of less than a millisecond would be many of none.
        long millis = Math.clamp(TimeUnit.NANOSECONDS.toMillis(nanos) + 1, 0, Integer.MAX_VALUE);
        MemorySegment block = Libc.block();
        pollfd(block, Libc.STRUCT, wake, POLLIN);
        pollfd(block, Libc.STRUCT + POLLFD, stall, POLLPRI); // a negative one is passed over by the kernel
        try {
            int ready = (int) POLL.invokeExact(block, block.address() + Libc.STRUCT, 2L, (int) millis);
            if (ready < 0) {
                return false; // a signal: the caller comes again
            }
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
        short told = block.get(JAVA_SHORT, Libc.STRUCT + POLLFD + 6);
        if (block.get(JAVA_SHORT, Libc.STRUCT + 6) != 0) {
            PeerCalls.linux().read(wake, counter); // empties it
        }
        if ((told & POLLERR) != 0) { // the cgroup has gone
            syscalls.close(stall);
            stall = NONE;
        }
        return (told & POLLPRI) != 0;
    }

    private static void pollfd(MemorySegment block, long offset, int fd, short events) {
        block.set(JAVA_INT, offset, fd);
        block.set(JAVA_SHORT, offset + 4, events);
        block.set(JAVA_SHORT, offset + 6, (short) 0);
    }

    @Override
    public synchronized void wake() {
        if (!closed) {
            PeerCalls.linux().signal(wake);
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            syscalls.close(wake);
            if (stall != NONE) {
                syscalls.close(stall);
            }
        }
    }
}
