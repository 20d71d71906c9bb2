// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the ranges and files from which udmabuf creates a buffer: the cases of the kernel's own test. */
class UdmabufIT {
    private static final int O_RDWR = 0x2;
    private static final int MFD_ALLOW_SEALING = 0x2;
    private static final int MFD_HUGETLB = 0x4;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_SHRINK = 0x2;
    private static final int UDMABUF_FLAGS_CLOEXEC = 1;
    private static final int PAGE = (int) Bytes.PAGE;
    private static final int HUGE_PAGE = 2 << 20;

    private final Syscalls syscalls = Syscalls.linux();
    private final Mappings mmap = new Mappings(syscalls);
    private final OwnedFd device = OwnedFd.of(syscalls.open(Devices.UDMABUF.toString(), O_RDWR), syscalls::close);

    @AfterEach
    void close() {
        device.close();
    }

    private OwnedFd memfd(int flags, long size) {
        OwnedFd memfd = OwnedFd.of(syscalls.memfdCreate("udmabuf-it", MFD_ALLOW_SEALING | flags), syscalls::close);
        assertEquals(0, syscalls.fallocate(memfd.fd(), 0, 0, size));
        assertEquals(0, syscalls.fcntl(memfd.fd(), F_ADD_SEALS, F_SEAL_SHRINK));
        return memfd;
    }

    private int create(OwnedFd memory, long offset, long size) {
        return syscalls.udmabufCreate(device.fd(), memory.fd(), UDMABUF_FLAGS_CLOEXEC, offset, size);
    }

    @ParameterizedTest
    @CsvSource({"512, 4096", "0, 512", "4096, 4608", "0, 0", "32768, 4096", "28672, 8192"})
    void a_range_that_is_not_whole_pages_or_exceeds_the_memfd_is_refused(long offset, long size) {
        try (OwnedFd memfd = memfd(0, 8 * PAGE)) {
            assertEquals(-Errno.EINVAL.number(), create(memfd, offset, size));
        }
    }

    @Test
    void a_file_that_is_not_a_memfd_is_refused() {
        for (String file : new String[] {"/dev/null", "/etc/passwd"}) {
            try (OwnedFd none = OwnedFd.of(syscalls.open(file, 0), syscalls::close)) {
                assertEquals(-Errno.EBADFD.number(), create(none, 0, PAGE), file);
            }
        }
    }

    @Test
    void a_memfd_that_could_shrink_is_refused() {
        try (OwnedFd memfd = OwnedFd.of(syscalls.memfdCreate("udmabuf-it", MFD_ALLOW_SEALING), syscalls::close)) {
            assertEquals(0, syscalls.fallocate(memfd.fd(), 0, 0, PAGE));
            assertEquals(-Errno.EINVAL.number(), create(memfd, 0, PAGE));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_buffer_shows_later_writes_through_the_memfd_and_the_reverse(boolean huge) throws IOException {
        if (huge) {
            Path pages = Path.of("/proc/sys/vm/nr_hugepages");
            Files.writeString(pages, "4\n");
            assertTrue(Integer.parseInt(Files.readString(pages).strip()) >= 2, "the guest gives no huge pages");
        }
        int page = huge ? HUGE_PAGE : PAGE;
        long size = 2L * page;
        try (OwnedFd memfd = memfd(huge ? MFD_HUGETLB : 0, size);
                Arena arena = Arena.ofConfined()) {
            MemorySegment written = mmap.map(memfd, size, Access.READ_WRITE, arena);
            written.set(ValueLayout.JAVA_BYTE, page, (byte) 1);
            try (OwnedFd buffer = OwnedFd.of(create(memfd, page, page), syscalls::close)) {
                MemorySegment shown = mmap.map(buffer, page, Access.READ_WRITE, arena);
                assertEquals(1, shown.get(ValueLayout.JAVA_BYTE, 0));
                written.asSlice(page).fill((byte) 2);
                for (int at = 0; at < page; at += 1024) {
                    assertEquals(2, shown.get(ValueLayout.JAVA_BYTE, at));
                }
                shown.set(ValueLayout.JAVA_BYTE, page - 1, (byte) 3);
                assertEquals(3, written.get(ValueLayout.JAVA_BYTE, size - 1));
            }
        }
    }
}
