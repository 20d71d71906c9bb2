// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeviceFileTest {
    /** Master side of a pseudo terminal, a device whose ioctls exist on every Linux. */
    private static final String PTMX = "/dev/ptmx";

    private static final long TIOCGPTN = 0x80045430L; // _IOR('T', 0x30, 4 bytes): the number of the terminal

    @Test
    void the_kernel_writes_into_the_segment_of_an_ioctl() {
        try (DeviceFile device = DeviceFile.open(PTMX);
                DeviceFile other = DeviceFile.open(PTMX);
                Arena arena = Arena.ofConfined()) {
            MemorySegment number = arena.allocate(ValueLayout.JAVA_INT);
            assertEquals(0, device.ioctl(TIOCGPTN, number));
            int first = number.get(ValueLayout.JAVA_INT, 0);
            assertEquals(0, other.ioctl(TIOCGPTN, number));
            assertTrue(number.get(ValueLayout.JAVA_INT, 0) != first, "both have number " + first);
        }
    }

    @Test
    void an_ioctl_that_the_device_lacks_returns_the_kernels_error_number() {
        try (DeviceFile device = DeviceFile.open("/dev/null");
                Arena arena = Arena.ofConfined()) {
            assertEquals(-Errno.ENOTTY.number(), device.ioctl(TIOCGPTN, arena.allocate(ValueLayout.JAVA_INT)));
        }
    }

    @Test
    void a_required_ioctl_that_fails_names_the_call_and_the_device() {
        try (DeviceFile device = DeviceFile.open("/dev/null")) {
            device.require("TIOCGPTN", 0);
            HeapException failure = assertThrows(HeapException.class, () -> device.require("TIOCGPTN", -4000));
            assertEquals("TIOCGPTN of /dev/null failed: error 4000", failure.getMessage());
            assertEquals(4000, failure.number());
        }
    }

    @Test
    void a_segment_shorter_than_the_kernel_writes_is_refused() {
        try (DeviceFile device = DeviceFile.open(PTMX);
                Arena arena = Arena.ofConfined()) {
            MemorySegment small = arena.allocate(2);
            IllegalArgumentException refused =
                    assertThrows(IllegalArgumentException.class, () -> device.ioctl(TIOCGPTN, small));
            assertEquals(
                    "ioctl 0x80045430 takes 4 bytes of native memory; the segment has 2 bytes of native memory",
                    refused.getMessage());
            MemorySegment onHeap = MemorySegment.ofArray(new int[1]);
            assertThrows(IllegalArgumentException.class, () -> device.ioctl(TIOCGPTN, onHeap));
        }
    }

    @Test
    void memory_that_the_kernel_must_not_write_is_refused() {
        try (DeviceFile device = DeviceFile.open(PTMX)) {
            MemorySegment ended;
            try (Arena arena = Arena.ofConfined()) {
                ended = arena.allocate(4);
                MemorySegment readOnly = arena.allocate(4).asReadOnly();
                assertThrows(IllegalArgumentException.class, () -> device.ioctl(TIOCGPTN, readOnly));
                assertEquals(0, device.ioctl(TIOCGPTN, ended));
            }
            IllegalStateException closed =
                    assertThrows(IllegalStateException.class, () -> device.ioctl(TIOCGPTN, ended));
            assertEquals("ioctl 0x80045430: the arena of the argument is closed", closed.getMessage());
        }
    }

    @Test
    void a_segment_of_another_threads_arena_is_refused() throws InterruptedException {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        try (DeviceFile device = DeviceFile.open(PTMX);
                Arena arena = Arena.ofConfined()) {
            MemorySegment mine = arena.allocate(4);
            Thread other = Thread.ofPlatform().start(() -> {
                try {
                    device.ioctl(TIOCGPTN, mine);
                } catch (RuntimeException e) {
                    thrown.set(e);
                }
            });
            other.join();
        }
        assertInstanceOf(WrongThreadException.class, thrown.get());
    }

    @Test
    void poll_reports_the_ready_operations_of_the_device() {
        try (DeviceFile device = DeviceFile.open("/dev/null")) {
            assertEquals(DeviceFile.POLLIN, device.poll(DeviceFile.POLLIN, -1));
            assertEquals(
                    DeviceFile.POLLIN | DeviceFile.POLLOUT, device.poll(DeviceFile.POLLIN | DeviceFile.POLLOUT, 0));
        }
        try (DeviceFile device = DeviceFile.open(PTMX)) {
            assertEquals(0, device.poll(DeviceFile.POLLIN, 0), "a terminal without input");
            assertEquals(DeviceFile.POLLOUT, device.poll(DeviceFile.POLLOUT, -1));
        }
    }

    @Test
    void a_path_that_cannot_be_opened_is_refused_by_name(@TempDir Path folder) throws IOException {
        HeapException absent = assertThrows(HeapException.class, () -> DeviceFile.open("/dev/no-such-device"));
        assertEquals(Errno.ENOENT, absent.errno());
        assertEquals(
                "open of /dev/no-such-device failed: no such file or directory; connect the device, load its driver,"
                        + " and give a container the node (--device=/dev/no-such-device)",
                absent.getMessage());
        Path file = Files.createFile(folder.resolve("file"));
        HeapException noDevice = assertThrows(HeapException.class, () -> DeviceFile.open(file.toString()));
        assertEquals(Errno.ENOTTY, noDevice.errno());
        assertTrue(noDevice.getMessage().startsWith("open of " + file + " failed: "), noDevice.getMessage());
    }

    @Test
    void a_call_on_a_closed_device_is_refused() {
        DeviceFile device = DeviceFile.open("/dev/null");
        device.close();
        device.close();
        HeapException closed = assertThrows(HeapException.class, () -> device.poll(DeviceFile.POLLIN, 0));
        assertEquals(Errno.ENODEV, closed.errno());
        assertEquals("/dev/null is closed; open it again", closed.getMessage());
    }

    @Test
    void a_call_interrupted_by_a_signal_is_repeated() {
        AtomicInteger calls = new AtomicInteger();
        Syscalls interrupted = with("ioctl", () -> calls.incrementAndGet() < 3 ? -Errno.EINTR.number() : 7);
        try (DeviceFile device = DeviceFile.open("/dev/null", interrupted);
                Arena arena = Arena.ofConfined()) {
            assertEquals(7, device.ioctl(TIOCGPTN, arena.allocate(4)));
            assertEquals(3, calls.get());
        }
    }

    @Test
    void the_descriptor_is_not_closed_during_a_call() throws InterruptedException {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicInteger closes = new AtomicInteger();
        Syscalls linux = Syscalls.linux();
        Syscalls slow = (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, method, arguments) -> {
                    if (method.getName().equals("ioctl")) {
                        inside.countDown();
                        goOn.await();
                        return 0;
                    }
                    if (method.getName().equals("close")) {
                        closes.incrementAndGet();
                    }
                    return method.invoke(linux, arguments);
                });
        DeviceFile device = DeviceFile.open("/dev/null", slow);
        Thread caller = Thread.ofPlatform().start(() -> {
            try (Arena arena = Arena.ofConfined()) {
                device.ioctl(TIOCGPTN, arena.allocate(4));
            }
        });
        inside.await();
        device.close();
        assertEquals(0, closes.get());
        goOn.countDown();
        caller.join();
        assertEquals(1, closes.get());
    }

    private interface Answer {
        Object give();
    }

    private static Syscalls with(String call, Answer answer) {
        Syscalls linux = Syscalls.linux();
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, method, arguments) -> {
                    try {
                        return method.getName().equals(call) ? answer.give() : method.invoke(linux, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
