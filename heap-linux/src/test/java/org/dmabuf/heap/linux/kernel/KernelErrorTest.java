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
    void a_number_without_a_constant_is_reported_as_a_number() {
        HeapException refusal = KernelError.of("camera", 4096, "fallocate", -7); // E2BIG
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals("heap 'camera': fallocate refused a buffer of 4 KiB: error 7", refusal.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "memfd_create, EMFILE, LimitNOFILE=",
        "memfd_create, ENFILE, fs.file-max",
        "memfd_create, ENOSYS, this kernel is too old",
        "fallocate, ENOMEM, ask for less",
        "fallocate, ENOSPC, ask for less",
        "mmap, ENOMEM, vm.max_map_count",
        "mmap, EPERM, a seal forbids it",
        "open(/proc/self/fd), ENOENT, is /proc mounted?",
        "open(/dev/dma_heap/system), ENOENT, CONFIG_DMABUF_HEAPS",
        "open(/dev/dma_heap/system), EACCES, 60-dmaheap.rules",
        "open(/dev/dma_heap/system), EMFILE, LimitNOFILE=",
        "open(/dev/udmabuf), ENOENT, modprobe udmabuf",
        "open(/dev/udmabuf), EPERM, 60-dmaheap.rules",
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
    void the_exception_has_the_callers_errno_and_the_kernels_meaning_in_its_message() {
        HeapException refusal = KernelError.of(Errno.ENOMEM, "camera", 4096, "fallocate", -Errno.ENOSPC.number());
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().contains(Errno.ENOSPC.meaning()), refusal.getMessage());
        assertFalse(refusal.getMessage().contains(Errno.ENOMEM.meaning()), refusal.getMessage());
    }
}
