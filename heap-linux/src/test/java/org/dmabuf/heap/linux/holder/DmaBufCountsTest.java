// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Tests with a memfd for which a fake kernel shows a count, because dma-bufs do not exist on every machine. */
class DmaBufCountsTest {
    private interface Fdinfo {
        String show() throws IOException;
    }

    private final Syscalls linux = Syscalls.linux();
    /** Duplicated descriptors that are still open. */
    private final Set<Integer> copies = new TreeSet<>();

    private final Syscalls counted = (Syscalls) Proxy.newProxyInstance(
            Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, method, arguments) -> {
                Object result;
                try {
                    result = method.invoke(linux, arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
                switch (method.getName()) {
                    case "fcntl" -> copies.add((int) result);
                    case "close" -> copies.remove((int) arguments[0]);
                    default -> {}
                }
                return result;
            });
    private Fdinfo fdinfo = () -> "pos:\t0\ncount:\t2\n";
    private final HolderCalls calls = (HolderCalls) Proxy.newProxyInstance(
            HolderCalls.class.getClassLoader(), new Class<?>[] {HolderCalls.class}, (_, _, _) -> fdinfo.show());
    private final DmaBufCounts counts = new DmaBufCounts(counted, calls);
    private int memory;

    @BeforeEach
    void make() {
        memory = linux.memfdCreate("frame", 0);
        assertTrue(memory >= 0);
    }

    @AfterEach
    void nothing_is_left() {
        linux.close(memory);
        assertEquals(Set.of(), copies);
    }

    private TrackedFile.DmaBuf track() {
        return counts.add("camera", Bytes.PAGE, memory);
    }

    private List<TrackedFile> gone() {
        List<TrackedFile> gone = new ArrayList<>();
        counts.look(0, true, gone::add);
        return gone;
    }

    private TrackedFile.DmaBuf awaited() {
        TrackedFile.DmaBuf file = track();
        HolderWatch watch = new HolderWatch(null, null, file);
        watch.callback = () -> {};
        file.watches.add(watch);
        return file;
    }

    @Test
    void one_dma_buf_is_tracked_by_one_descriptor_whatever_descriptor_is_given() {
        int other = linux.fcntl(memory, 1030, 0); // F_DUPFD_CLOEXEC
        TrackedFile.DmaBuf file = track();
        assertSame(file, counts.add("camera", Bytes.PAGE, other));
        assertEquals(1, copies.size());
        linux.close(other);
        file.forget();
    }

    @Test
    void it_is_gone_when_only_the_trackers_descriptor_is_left_and_reported_once() {
        TrackedFile.DmaBuf file = awaited();
        assertEquals(List.of(), gone());
        fdinfo = () -> "count:\t1\nname:\tframe\ncount:\t9\n"; // the name follows the kernel's count
        assertEquals(List.of(file), gone());
        assertEquals(List.of(), gone());
    }

    @Test
    void a_count_that_cannot_be_read_counts_as_a_holder() {
        TrackedFile.DmaBuf file = awaited();
        fdinfo = () -> {
            throw new IOException("made up");
        };
        assertEquals(List.of(), gone());
        file.forget();
    }

    @Test
    void a_kernel_that_shows_no_count_is_refused() {
        fdinfo = () -> "pos:\t0\n";
        HeapException refusal = assertThrows(HeapException.class, this::track);
        assertEquals(Errno.ENOTSUP, refusal.errno());
        assertEquals(Optional.of("camera"), refusal.heap());
    }

    @Test
    void a_shortage_while_the_count_is_read_leaves_no_descriptor() {
        fdinfo = () -> {
            throw new OutOfMemoryError("made up");
        };
        assertThrows(OutOfMemoryError.class, this::track);
        assertEquals(Set.of(), copies);
        fdinfo = () -> "count:\t2\n";
        track().forget();
    }
}
