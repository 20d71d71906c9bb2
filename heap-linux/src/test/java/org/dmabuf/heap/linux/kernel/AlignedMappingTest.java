// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.LongConsumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.source.HeldFiles;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the addresses of large mappings, also when the kernel refuses a part of the calls. */
class AlignedMappingTest {
    private static final long LARGE = Bytes.PAGE / Long.BYTES * Bytes.PAGE;
    private static final long SIZE = LARGE + 3 * Bytes.PAGE;
    private static final int MAP_FIXED = 0x10;

    /** Numbers of the calls of mmap that fail, from 1. */
    private final Set<Integer> failing = new HashSet<>();

    private static final int THREADS = 8;

    private int mmaps;
    private boolean returningFails;
    /** Bytes of mappings that exist now. */
    private long mapped;
    /** Action of another thread before the file is mapped at the aligned address. */
    private LongConsumer meanwhile = _ -> {};

    private final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                boolean maps = method.getName().equals("mmap");
                if (maps && (long) arguments[0] != 0) {
                    meanwhile.accept((long) arguments[0]);
                }
                if (method.getName().equals("munmap") && returningFails) {
                    returningFails = false;
                    return -Errno.ENOMEM.number();
                }
                if (maps && failing.contains(++mmaps)) {
                    return (long) -Errno.ENOMEM.number();
                }
                try {
                    Object result = method.invoke(Syscalls.linux(), arguments);
                    if (maps && (long) result >= 0) {
                        mapped += (long) arguments[1];
                    } else if (method.getName().equals("munmap")) {
                        mapped -= (long) arguments[1];
                    }
                    return result;
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });
    private final Mmap mmap = new Mmap(syscalls);
    private HeldFiles before;
    private int fd;

    @BeforeEach
    void make_a_memfd() {
        before = new HeldFiles();
        fd = new Memfd(Syscalls.linux()).create("camera", "aligned", SIZE, Memfd.F_SEAL_SEAL);
    }

    @AfterEach
    void nothing_is_left_behind() {
        Syscalls.linux().close(fd);
        before.assertNothingLeft();
        assertEquals(0, mapped);
    }

    private void assertUsable(MemorySegment mapping) {
        assertEquals(SIZE, mapping.byteSize());
        assertEquals(SIZE, mapped, "all other addresses were returned");
        mapping.set(ValueLayout.JAVA_BYTE, SIZE - 1, (byte) 1);
        mmap.unmap(mapping);
    }

    @Test
    void a_mapping_of_the_size_of_a_large_folio_begins_at_a_multiple_of_it() {
        for (int i = 0; i < 8; i++) {
            MemorySegment client = mmap.map("camera", fd, SIZE, Access.READ_WRITE);
            assertEquals(0, client.address() % LARGE);
            assertUsable(client);
            MemorySegment kept = mmap.mapToKeep("camera", fd, SIZE);
            assertEquals(0, kept.address() % LARGE);
            assertUsable(kept);
        }
    }

    @Test
    void a_smaller_mapping_needs_one_call() {
        mmap.unmap(mmap.map("camera", fd, LARGE - Bytes.PAGE, Access.READ));
        assertEquals(1, mmaps);
    }

    /** The first call reserves addresses, and the second maps the file there. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void without_space_for_the_alignment_it_begins_anywhere(int call) {
        failing.add(call);
        assertUsable(mmap.map("camera", fd, SIZE, Access.READ_WRITE));
        assertEquals(call + 1, mmaps);
    }

    /** While a file is mapped, and if that fails, the kernel can give the reserved addresses to another thread. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_mapping_of_another_thread_is_neither_replaced_nor_ended(boolean refused) throws IOException {
        if (refused) {
            failing.add(2);
        }
        List<Long> others = new ArrayList<>();
        meanwhile = address -> {
            Syscalls linux = Syscalls.linux();
            linux.munmap(address, SIZE);
            others.add(linux.mmap(address, Bytes.PAGE, Mmap.PROT_READ, Mmap.MAP_SHARED | MAP_FIXED, fd, LARGE));
        };
        assertUsable(mmap.map("camera", fd, SIZE, Access.READ_WRITE));
        assertEquals(refused ? 1 : 8, others.size());
        for (long address : others) {
            String other = Long.toHexString(address) + "-" + Long.toHexString(address + Bytes.PAGE);
            assertTrue(Files.readString(Path.of("/proc/self/maps")).contains(other + " r--s "), other);
            Syscalls.linux().munmap(address, Bytes.PAGE);
        }
    }

    @Test
    void threads_that_map_memfds_at_the_same_time_all_get_aligned_addresses() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            Mmap linux = new Mmap(Syscalls.linux());
            CyclicBarrier start = new CyclicBarrier(THREADS);
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                all.add(threads.submit(() -> {
                    start.await();
                    for (int round = 0; round < 200; round++) {
                        MemorySegment mapping = linux.mapToKeep("camera", fd, SIZE);
                        assertEquals(0, mapping.address() % LARGE);
                        linux.unmap(mapping);
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
    }

    /** A hole in the reserved addresses makes two mappings of one. */
    @Test
    void a_process_with_too_many_mappings_keeps_no_reserved_addresses() {
        returningFails = true;
        assertUsable(mmap.map("camera", fd, SIZE, Access.READ_WRITE));
    }

    @Test
    void the_refusal_of_an_ordinary_mapping_is_reported() {
        failing.addAll(Set.of(1, 2));
        HeapException refusal =
                assertThrows(HeapException.class, () -> mmap.map("camera", fd, SIZE, Access.READ_WRITE));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                "heap 'camera': mmap refused a buffer of 2.0 MiB: cannot allocate memory; end arenas that are no longer"
                        + " needed, or raise vm.max_map_count",
                refusal.getMessage());
    }
}
