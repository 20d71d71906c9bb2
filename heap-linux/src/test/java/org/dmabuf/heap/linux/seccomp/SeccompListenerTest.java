// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of what needs no filter: heap-agent tests the rest with programs that have one. */
class SeccompListenerTest {
    private static final int O_RDWR = 2;

    @TempDir
    Path folder;

    private static OwnedFd open(String path) {
        return OwnedFd.of(Syscalls.linux().open(path, O_RDWR), Syscalls.linux()::close);
    }

    @Test
    void a_descriptor_of_another_file_is_refused_and_stays_the_callers() {
        try (StopSignal stop = new StopSignal();
                OwnedFd other = open("/dev/null")) {
            IllegalArgumentException refused =
                    assertThrows(IllegalArgumentException.class, () -> SeccompListener.of(other, stop));
            assertEquals("invalid descriptor of '/dev/null': expected a listener of seccomp", refused.getMessage());
            assertTrue(other.fd() >= 0);
        }
    }

    @Test
    void memory_of_this_process_is_read_and_written_up_to_its_end() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            TrappedCall call = callOf((int) ProcessHandle.current().pid());
            MemorySegment there = arena.allocateFrom(ValueLayout.JAVA_BYTE, (byte) 1, (byte) 2, (byte) 3);
            MemorySegment here = arena.allocate(3);
            assertEquals(3, call.read(there.address(), here, 3));
            assertArrayEquals(new byte[] {1, 2, 3}, here.toArray(ValueLayout.JAVA_BYTE));
            here.fill((byte) 7);
            assertEquals(2, call.write(there.address(), here, 2));
            assertArrayEquals(new byte[] {7, 7, 3}, there.toArray(ValueLayout.JAVA_BYTE));
            assertEquals(-Errno.EFAULT.number(), call.read(8, here, 3));
            assertEquals(-Errno.EFAULT.number(), call.write(8, here, 3));
        }
    }

    @Test
    void a_file_is_known_by_its_path_and_its_device_number() throws Exception {
        TrappedCall call = callOf((int) ProcessHandle.current().pid());
        Path file = Files.createFile(folder.resolve("file")).toRealPath();
        try (OwnedFd device = open("/dev/null");
                OwnedFd regular = open(file.toString())) {
            assertEquals("/dev/null", call.pathOf(device.fd()));
            assertTrue(call.readStatus(device.fd()));
            assertTrue(call.isDevice(1, 3));
            assertFalse(call.isDevice(1, 5));
            assertEquals(0x2000, call.mode() & 0xF000);
            assertEquals(file.toString(), call.pathOf(regular.fd()));
            assertTrue(call.readStatus(regular.fd()));
            assertEquals(0x8000, call.mode() & 0xF000);
            assertEquals(Files.getAttribute(file, "unix:uid"), call.owner());
        }
        assertEquals("", call.pathOf(1_000_000));
        assertFalse(call.readStatus(1_000_000));
    }

    @Test
    void a_memfd_is_known_by_its_file_system() throws Exception {
        MemfdFileSystem memfds = MemfdFileSystem.find();
        TrappedCall call = callOf((int) ProcessHandle.current().pid());
        int created = Syscalls.linux().memfdCreate("frame", Memfd.MFD_CLOEXEC | Memfd.MFD_ALLOW_SEALING);
        Path file = Files.createFile(folder.resolve("memfd:frame"));
        try (OwnedFd memfd = OwnedFd.of(created, Syscalls.linux()::close);
                OwnedFd regular = open(file.toString());
                OwnedFd device = open("/dev/null")) {
            assertTrue(call.readStatus(memfd.fd()) && memfds.hasFileOf(call));
            assertTrue(call.readStatus(regular.fd()) && !memfds.hasFileOf(call));
            assertTrue(call.readStatus(device.fd()) && !memfds.hasFileOf(call));
        }
    }

    @Test
    void a_path_of_255_bytes_and_more_is_no_path() throws Exception {
        TrappedCall call = callOf((int) ProcessHandle.current().pid());
        Path deep = Files.createDirectories(folder.resolve("a".repeat(120)).resolve("b".repeat(120)));
        Path link = Files.createSymbolicLink(folder.resolve("link"), Files.createFile(deep.resolve("file")));
        try (OwnedFd file = open(link.toString())) {
            assertEquals("", call.pathOf(file.fd()));
        }
    }

    @Test
    @SuppressWarnings("restricted") // reads a struct by its address, as the kernel does
    void a_saved_call_has_all_its_arguments() {
        byte[] saved = callOf(42).save();
        MemorySegment data = MemorySegment.ofArray(saved);
        data.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, 77);
        data.set(ValueLayout.JAVA_INT_UNALIGNED, 16, 16);
        data.set(ValueLayout.JAVA_INT_UNALIGNED, 20, 0xC000_003E);
        data.set(ValueLayout.JAVA_LONG_UNALIGNED, 32 + 40, -5);
        TrappedCall call = new TrappedCall();
        call.load(saved);
        assertEquals(77, call.id());
        assertEquals(42, call.tid());
        assertEquals(16, call.number());
        assertEquals(0xC000_003E, call.architecture());
        assertEquals(-5, call.argument(5));
        MemorySegment response = MemorySegment.ofAddress(call.response(-22, 1)).reinterpret(24);
        assertEquals(77, response.get(JAVA_LONG, 0));
        assertEquals(-22, response.get(JAVA_INT, 16));
        assertEquals(1, response.get(JAVA_INT, 20));
    }

    /** {@return a call of a thread, as the kernel would report it} */
    private static TrappedCall callOf(int tid) {
        TrappedCall call = new TrappedCall();
        byte[] saved = call.save();
        MemorySegment.ofArray(saved).set(ValueLayout.JAVA_INT_UNALIGNED, 8, tid);
        call.load(saved);
        return call;
    }

    @Test
    void the_right_to_trace_is_that_of_the_kernel() throws Exception {
        Process child = new ProcessBuilder("sleep", "60").start();
        try {
            assertTrue(TraceRight.over((int) child.pid()));
        } finally {
            child.destroyForcibly().waitFor();
        }
        assertTrue(TraceRight.over((int) child.pid()), "a process that has ended");
        int memory = Syscalls.linux().open("/proc/1/mem", 0); // needs the same right
        if (memory >= 0) {
            Syscalls.linux().close(memory);
        }
        assertEquals(memory >= 0, TraceRight.over(1));
    }
}
