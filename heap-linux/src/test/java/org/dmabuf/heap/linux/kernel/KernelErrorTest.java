// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class KernelErrorTest {
    @ParameterizedTest
    @EnumSource(Errno.class)
    void a_kernel_number_becomes_its_constant_and_its_meaning(Errno errno) {
        HeapException refusal = KernelError.of("camera", 1 << 20, "madvise", -errno.number());
        assertEquals(errno, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
        assertTrue(
                refusal.getMessage().startsWith("heap 'camera': madvise refused a buffer of 1 MiB: " + errno.meaning()),
                refusal.getMessage());
    }

    @Test
    void a_number_that_linux_does_not_define_is_reported_as_a_number() {
        HeapException refusal = KernelError.of("camera", 4096, "fallocate", -4000);
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals("heap 'camera': fallocate refused a buffer of 4 KiB: error 4000", refusal.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "memfd_create, EMFILE, LimitNOFILE=",
        "memfd_create, ENFILE, fs.file-max",
        "memfd_create, ENOSYS, permit memfd_create in SystemCallFilter=",
        "memfd_create, EPERM, permit memfd_create in SystemCallFilter=",
        "memfd_create, EACCES, seccomp profile",
        "inotify_init1, EPERM, permit inotify_init1 in",
        "inotify_add_watch, ENOSYS, permit inotify_add_watch in",
        "eventfd2, EPERM, permit eventfd2 in",
        "fallocate, EPERM, permit fallocate in",
        "madvise(MADV_POPULATE), EPERM, permit madvise in",
        "fcntl(F_ADD_SEALS), ENOSYS, permit fcntl in",
        "ioctl(DMA_HEAP_IOCTL_ALLOC), ENOSYS, permit ioctl in",
        "memfd_create, EFBIG, LimitFSIZE=",
        "fallocate, EFBIG, LimitFSIZE=",
        "socket, EAFNOSUPPORT, RestrictAddressFamilies=",
        "sendmsg, ETOOMANYREFS, the peer must receive",
        "sendmsg, ETOOMANYREFS, LimitNOFILE=",
        "sendmsg, ENOBUFS, repeat the call later",
        "connect to /run/s, EPROTOTYPE, SOCK_SEQPACKET",
        "connect to /run/s, EACCES, this user is not permitted",
        "connect to /run/s, ENAMETOOLONG, at most 107 bytes",
        "bind to /run/s, EROFS, give another path",
        "bind to /run/s, ENOTDIR, give another path",
        "bind to /run/s, ELOOP, give another path",
        "fallocate, ENOMEM, ask for less",
        "fallocate, ENOSPC, ask for less",
        "mmap, ENOMEM, vm.max_map_count",
        "mmap, EPERM, a seal forbids it",
        "open(/proc/self/fd), ENOENT, is /proc mounted?",
        "open(/dev/dma_heap/system), ENOENT, load its module",
        "open(/dev/dma_heap/system), ENOENT, CONFIG_DMABUF_HEAPS",
        "open(/dev/dma_heap/system), EACCES, 60-dmaheap.rules",
        "open(/dev/dma_heap/system), EMFILE, LimitNOFILE=",
        "open(/dev/dma_heap/system), ENOENT, --device=/dev/dma_heap/system",
        "open(/dev/dma_heap/system), EPERM, DeviceAllow=/dev/dma_heap/system",
        "open(/dev/udmabuf), ENOENT, CONFIG_UDMABUF=y",
        "open(/dev/udmabuf), ENOENT, --device=/dev/udmabuf",
        "open(/dev/udmabuf), EACCES, 60-dmaheap.rules",
        "open(/dev/udmabuf), EPERM, --device=/dev/udmabuf",
        "open of /dev/video0, ENOENT, --device=/dev/video0",
        "open of /dev/video0, EACCES, an ACL (setfacl in a udev rule)",
        "open of /dev/video0, EPERM, DeviceAllow=/dev/video0 rw",
        "open of /dev/video0, EBUSY, end the process",
        "ioctl(UDMABUF_CREATE), EINVAL, /sys/module/udmabuf/parameters/size_limit_mb",
        "ioctl(DMA_HEAP_IOCTL_ALLOC), ENOTTY, its node is not a heap of the kernel",
        "open of /dev/video0, EBUSY, end the process that has the device open",
        "VIDIOC_REQBUFS of /dev/video0, EBUSY, end the program that uses the device",
        "VIDIOC_REQBUFS of /dev/video0, ENODEV, connect the device again",
        "VIDIOC_REQBUFS of /dev/video0, ENOTTY, its driver lacks this call"
    })
    void a_limit_that_can_be_raised_is_named(String call, Errno errno, String remedy) {
        String message = KernelError.of("camera", 4096, call, -errno.number()).getMessage();
        assertTrue(message.contains(remedy), message);
    }

    @Test
    void udmabuf_is_no_module_that_could_be_loaded() {
        String message = KernelError.text("open(/dev/udmabuf)", -Errno.ENOENT.number());
        assertFalse(message.contains("module"), message);
    }

    @Test
    void the_exception_has_the_callers_errno_and_the_kernels_meaning_in_its_message() {
        HeapException refusal = KernelError.of(Errno.ENOMEM, "camera", 4096, "fallocate", -Errno.ENOSPC.number());
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().contains(Errno.ENOSPC.meaning()), refusal.getMessage());
        assertFalse(refusal.getMessage().contains(Errno.ENOMEM.meaning()), refusal.getMessage());
    }
}
