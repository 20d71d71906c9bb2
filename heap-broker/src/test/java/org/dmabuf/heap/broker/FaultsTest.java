// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the client's exception and of the remaining resources when the kernel refuses a call. */
class FaultsTest {
    private static final long SIZE = 1 << 20;

    private final FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
    private final BrokerParts broker = new BrokerParts(kernel);
    private RegisteredHeap heap;
    private ProcessState before;

    @BeforeEach
    void start() {
        heap = broker.memfd("system");
        broker.allocate(SIZE).close();
        before = ProcessState.now();
    }

    @AfterEach
    void nothing_is_left() {
        kernel.heal();
        broker.close();
        assertEquals(0, heap.account().buffers());
        assertEquals(0, heap.account().bytes());
        before.assertNothingLeft();
    }

    @Test
    void an_export_at_the_descriptor_limit_fails_with_a_remedy() {
        BufferReference reference = broker.allocate(AllocationRequest.of(SIZE).withName("frame"));
        kernel.failNext("fcntl", 1, Errno.EMFILE);
        HeapException refusal = assertThrows(HeapException.class, reference::exportFd);
        assertEquals(Errno.EMFILE, refusal.errno());
        assertEquals(Optional.of("system"), refusal.heap());
        assertEquals(
                "heap 'system': fcntl(F_DUPFD_CLOEXEC) failed: too many open files; close buffers and descriptors, or"
                        + " raise the process's limit (ulimit -n, LimitNOFILE= in a unit)",
                refusal.getMessage());
        assertEquals(1, heap.account().buffers());
        try (OwnedFd fd = reference.exportFd()) {
            assertTrue(fd.fd() >= 0);
        }
        reference.close();
    }

    @Test
    void a_mapping_at_the_mapping_limit_is_tried_twice_and_fails_with_a_remedy() {
        BufferReference reference = broker.allocate(AllocationRequest.of(SIZE).withName("frame"));
        long before = kernel.count("mmap");
        kernel.fail("mmap", Errno.ENOMEM);
        try (Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> reference.map(Access.READ_WRITE, arena));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertEquals(
                    "heap 'system': mmap refused a buffer of 1 MiB: cannot allocate memory; end arenas that are no"
                            + " longer needed, or raise vm.max_map_count",
                    refusal.getMessage());
            assertEquals(2, kernel.count("mmap") - before);
            kernel.heal();
            reference.map(Access.READ_WRITE, arena).fill((byte) 1);
        }
        reference.close();
        Await.until("it is uncharged", () -> heap.account().buffers() == 0);
    }

    @Test
    void a_mapping_that_succeeds_the_second_time_is_one_mapping() {
        BufferReference reference = broker.allocate(SIZE);
        kernel.failNext("mmap", 1, Errno.ENOMEM);
        long unmaps = kernel.count("munmap");
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ_WRITE, arena).fill((byte) 1);
        }
        reference.close();
        Await.until("it is uncharged", () -> heap.account().buffers() == 0);
        assertEquals(1, kernel.count("munmap") - unmaps);
    }

    @Test
    void a_read_only_export_at_the_mapping_limit_ends_the_request_with_a_remedy() {
        FakeHeap next = new FakeHeap();
        broker.heap("next", next);
        long made = kernel.count("memfdCreate");
        kernel.fail("mmap", Errno.ENOMEM); // the memory itself was available
        HeapException refusal = assertThrows(
                HeapException.class,
                () -> broker.allocate(
                        AllocationRequest.of(SIZE).withHeaps("system", "next").withExport(ExportMode.READ_ONLY)));
        assertEquals(1, kernel.count("memfdCreate") - made);
        assertEquals(Errno.EAGAIN, refusal.errno());
        assertEquals(Optional.of("system"), refusal.heap());
        assertTrue(refusal.getMessage().endsWith("or raise vm.max_map_count"), refusal.getMessage());
        assertEquals(List.of(), next.asked());
        assertEquals(0, heap.account().buffers());
    }

    @ParameterizedTest
    @ValueSource(strings = {"memfdCreate", "fallocate", "fcntl"})
    void an_allocation_without_memory_continues_with_the_next_heap(String call) {
        broker.heap("next", new FakeHeap());
        kernel.failNext(call, 1, Errno.ENOMEM);
        BufferReference reference = broker.allocate(AllocationRequest.of(SIZE).withHeaps("system", "next"));
        assertEquals("next", reference.heapName());
        assertEquals(0, heap.account().buffers());
        reference.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"memfdCreate", "fallocate", "fcntl"})
    void any_other_refusal_ends_the_request(String call) {
        FakeHeap next = new FakeHeap();
        broker.heap("next", next);
        kernel.failNext(call, 1, Errno.EMFILE);
        HeapException refusal = assertThrows(
                HeapException.class,
                () -> broker.allocate(AllocationRequest.of(SIZE).withHeaps("system", "next")));
        assertEquals(Errno.EMFILE, refusal.errno());
        assertTrue(refusal.getMessage().contains("of 1 MiB"), refusal.getMessage());
        assertEquals(List.of(), next.asked());
    }

    @Test
    void an_inode_that_the_kernel_does_not_report_is_a_refusal() {
        BufferReference reference = broker.allocate(SIZE);
        kernel.failNext("inode", 1, Errno.EBADF);
        assertEquals(
                Errno.EBADF, assertThrows(HeapException.class, reference::inode).errno());
        assertTrue(reference.inode().isPresent());
        reference.close();
    }

    @Test
    void a_close_that_is_interrupted_loses_nothing() {
        kernel.fail("close", Errno.EINTR); // the descriptor is closed anyway
        BufferReference reference = broker.allocate(SIZE);
        reference.exportFd().close();
        reference.close();
        assertEquals(0, heap.account().buffers());
    }
}
