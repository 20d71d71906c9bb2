// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests on the running kernel, whose list of watches a test can make unreadable. */
class InotifyTest {
    private static final int F_DUPFD_CLOEXEC = 1030;

    private final Syscalls linux = Syscalls.linux();
    private boolean unreadable;
    private final HolderCalls calls = (HolderCalls) Proxy.newProxyInstance(
            HolderCalls.class.getClassLoader(), new Class<?>[] {HolderCalls.class}, (_, method, arguments) -> {
                if (unreadable && method.getName().equals("fdinfo")) {
                    throw new IOException("made up");
                }
                try {
                    return method.invoke(HolderCalls.linux(), arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });
    private final Inotify inotify = new Inotify(linux, calls);
    private final List<TrackedFile.Memfd> gone = new ArrayList<>();

    @AfterEach
    void close() {
        inotify.close();
    }

    private int memfd() {
        int fd = linux.memfdCreate("frame", 0);
        assertTrue(fd >= 0);
        return fd;
    }

    private TrackedFile.Memfd track(int fd) {
        return inotify.add("camera", Bytes.PAGE, fd);
    }

    private void look() {
        inotify.look(0, true, file -> gone.add((TrackedFile.Memfd) file));
    }

    /** {@return whether events were lost and the kernel's list must still be read} */
    private boolean doubtful() {
        return inotify.dueIn(0) != FileTracker.NEVER;
    }

    @Test
    void no_resource_of_the_system_is_used_before_the_first_watch_or_after_the_end() {
        assertTrue(inotify.fd() < 0);
        look();
        int memfd = memfd();
        track(memfd);
        assertTrue(inotify.fd() >= 0);
        linux.close(memfd);
        inotify.close();
        assertTrue(inotify.fd() < 0);
        look();
        assertEquals(List.of(), gone);
    }

    @Test
    void a_memfd_is_gone_with_its_last_descriptor_and_reported_once() {
        int memfd = memfd();
        TrackedFile.Memfd file = track(memfd);
        int peer = linux.fcntl(memfd, F_DUPFD_CLOEXEC, 0);
        linux.close(memfd);
        look();
        assertEquals(List.of(), gone);
        linux.close(peer);
        unreadable = true; // the kernel's own event is sufficient
        look();
        look();
        assertEquals(List.of(file), gone);
    }

    @Test
    void one_memfd_is_one_file_whatever_the_descriptor() {
        int memfd = memfd();
        int copy = linux.fcntl(memfd, F_DUPFD_CLOEXEC, 0);
        int other = memfd();
        assertSame(track(memfd), track(copy));
        assertNotSame(track(memfd), track(other));
        linux.close(memfd);
        linux.close(copy);
        linux.close(other);
        unreadable = true;
        look();
        assertEquals(2, gone.size());
    }

    @Test
    void a_removed_memfd_is_not_reported_and_can_be_tracked_again() throws IOException {
        int memfd = memfd();
        TrackedFile.Memfd first = track(memfd);
        inotify.remove(first);
        assertFalse(HolderCalls.linux().fdinfo(inotify.fd()).contains("inotify wd:"));
        TrackedFile.Memfd second = track(memfd);
        assertNotSame(first, second);
        inotify.remove(first); // the removed watch is forgotten
        linux.close(memfd);
        look();
        assertEquals(List.of(second), gone);
    }

    @Test
    void an_invalid_descriptor_cannot_be_tracked() {
        HeapException refusal = assertThrows(HeapException.class, () -> track(1_000_000));
        assertEquals(Optional.of("camera"), refusal.heap());
        assertTrue(refusal.getMessage().contains("inotify_add_watch"), refusal::getMessage);
    }

    @Test
    void events_that_were_read_and_lost_are_found_in_the_kernels_list() {
        List<TrackedFile.Memfd> files = new ArrayList<>();
        int held = memfd();
        track(held);
        for (int fd : new int[] {memfd(), memfd(), memfd()}) {
            files.add(track(fd));
            linux.close(fd);
        }
        assertThrows(
                OutOfMemoryError.class,
                () -> inotify.look(0, true, file -> {
                    gone.add((TrackedFile.Memfd) file);
                    throw new OutOfMemoryError("made up");
                }));
        assertEquals(files.subList(0, 1), gone);
        assertTrue(doubtful());
        unreadable = true;
        look();
        assertEquals(files.subList(0, 1), gone, "unknown memory counts as held");
        assertTrue(doubtful());
        unreadable = false;
        look();
        assertEquals(3, gone.size());
        assertTrue(gone.containsAll(files));
        assertFalse(doubtful());
        linux.close(held);
        look();
        assertEquals(4, gone.size());
    }

    @Test
    void a_failure_to_create_an_instance_is_refused() {
        HolderCalls none = (HolderCalls) Proxy.newProxyInstance(
                HolderCalls.class.getClassLoader(),
                new Class<?>[] {HolderCalls.class},
                (_, _, _) -> -Errno.EMFILE.number());
        Inotify refused = new Inotify(linux, none);
        HeapException refusal = assertThrows(HeapException.class, () -> refused.add("camera", Bytes.PAGE, 0));
        assertEquals(Errno.EMFILE, refusal.errno());
        assertTrue(refusal.getMessage().contains("inotify_init1"), refusal::getMessage);
        assertTrue(refused.fd() < 0);
    }
}
