// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.adopted.AdoptedMemory;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;

/** Tests of the adoption of the kernel's own dma-bufs by a process that receives their descriptors. */
class AdoptionIT {
    private static final int O_RDWR = 0x2;
    private static final int O_CLOEXEC = 0x80000;
    private static final int MFD_ALLOW_SEALING = 0x2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_SHRINK = 0x2;
    private static final int SIZE = 3 * (int) Bytes.PAGE;

    private final Syscalls syscalls = Syscalls.linux();

    @Test
    void a_dma_buf_of_the_system_heap_is_adopted_whatever_name_a_holder_gave_it() {
        for (String name : new String[] {"", "frame", "a\nexp_name:\tb", "\u00e9"}) {
            try (OwnedFd heap = OwnedFd.of(syscalls.open("/dev/dma_heap/system", 0), syscalls::close);
                    OwnedFd buffer = OwnedFd.of(
                            syscalls.dmaHeapAllocate(heap.fd(), SIZE, O_RDWR | O_CLOEXEC, 0), syscalls::close)) {
                assertEquals(0, syscalls.isDmaBuf(heap.fd()), "the heap's node is not a dma-buf");
                assertEquals(0, syscalls.dmaBufSetName(buffer.fd(), name));
                adopt(buffer);
            }
        }
    }

    @Test
    void a_dma_buf_of_udmabuf_is_adopted_and_its_memfd_is_not_a_dma_buf() {
        try (OwnedFd device = OwnedFd.of(syscalls.open(Devices.UDMABUF.toString(), O_RDWR), syscalls::close);
                OwnedFd memfd = OwnedFd.of(syscalls.memfdCreate("adoption-it", MFD_ALLOW_SEALING), syscalls::close)) {
            assertEquals(0, syscalls.fallocate(memfd.fd(), 0, 0, SIZE));
            assertEquals(0, syscalls.fcntl(memfd.fd(), F_ADD_SEALS, F_SEAL_SHRINK));
            assertEquals(0, syscalls.isDmaBuf(memfd.fd()));
            adopt(OwnedFd.of(syscalls.udmabufCreate(device.fd(), memfd.fd(), 1, 0, SIZE), syscalls::close));
        }
    }

    private void adopt(OwnedFd buffer) {
        AdoptedMemory memory = AdoptedMemory.adopt(syscalls, Headroom.machine(), false, buffer, _ -> {});
        assertTrue(memory.isDmaBuf());
        assertEquals(SIZE, memory.size());
        memory.release();
    }
}
