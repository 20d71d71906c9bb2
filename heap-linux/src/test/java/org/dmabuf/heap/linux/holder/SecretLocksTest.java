// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Tests on the running kernel, whose lists a test can change. The memory is a memfd, which is locked in the same way.
 */
class SecretLocksTest {
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final UnaryOperator<String> AS_IT_IS = UnaryOperator.identity();

    private final Syscalls linux = Syscalls.linux();
    /** Changes of the next lists of locks. Later lists stay unchanged. */
    private final Deque<UnaryOperator<String>> lists = new ArrayDeque<>();

    private UnaryOperator<String> fdinfo = AS_IT_IS;
    private final HolderCalls calls = (HolderCalls) Proxy.newProxyInstance(
            HolderCalls.class.getClassLoader(), new Class<?>[] {HolderCalls.class}, (_, method, arguments) -> {
                Object result;
                try {
                    result = method.invoke(HolderCalls.linux(), arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
                return switch (method.getName()) {
                    case "fdinfo" -> fdinfo.apply((String) result);
                    case "locks" -> {
                        String list =
                                lists.isEmpty() ? (String) result : lists.poll().apply((String) result);
                        if (list == null) {
                            throw new IOException("made up");
                        }
                        yield list;
                    }
                    default -> result;
                };
            });
    private final SecretLocks locks = new SecretLocks(calls);
    private final List<TrackedFile.Secret> gone = new ArrayList<>();
    private int memory;

    @BeforeEach
    void make() {
        memory = linux.memfdCreate("secret", 0);
        assertTrue(memory >= 0);
    }

    @AfterEach
    void close() {
        linux.close(memory);
    }

    private TrackedFile.Secret track(int fd) {
        TrackedFile.Secret file = locks.add("secure", Bytes.PAGE, fd);
        HolderWatch watch = new HolderWatch(null, null, file);
        watch.callback = () -> {}; // otherwise the locks are not read
        file.watches.add(watch);
        return file;
    }

    private void look() {
        locks.look(0, true, file -> gone.add((TrackedFile.Secret) file));
    }

    @Test
    void memory_is_gone_with_its_last_descriptor_and_reported_once() {
        TrackedFile.Secret file = track(memory);
        int peer = linux.fcntl(memory, F_DUPFD_CLOEXEC, 0);
        linux.close(memory);
        look();
        assertEquals(List.of(), gone);
        linux.close(peer);
        look();
        look();
        assertEquals(List.of(file), gone);
        make(); // for the detection of the end
    }

    @Test
    void one_file_is_tracked_once_whatever_the_descriptor_until_it_is_removed() {
        TrackedFile.Secret file = track(memory);
        int copy = linux.fcntl(memory, F_DUPFD_CLOEXEC, 0);
        assertSame(file, track(copy));
        locks.remove(file);
        assertNotSame(file, track(copy));
        linux.close(copy);
    }

    @Test
    void memory_is_gone_only_if_three_lists_in_a_row_lack_it() {
        TrackedFile.Secret file = track(memory);
        UnaryOperator<String> without = list -> list.replace(file.number, "");
        lists.addAll(List.of(without, without, AS_IT_IS));
        look();
        assertEquals(List.of(), gone);
        assertTrue(lists.isEmpty());
        lists.addAll(List.of(without, without, without));
        look();
        assertEquals(List.of(file), gone);
    }

    @Test
    void a_list_that_cannot_be_read_or_is_truncated_proves_nothing() {
        TrackedFile.Secret file = track(memory);
        UnaryOperator<String> without = list -> list.replace(file.number, "");
        lists.addAll(List.of(without, without, _ -> null));
        look();
        lists.addAll(List.of(without, without, list -> without.apply(list).stripTrailing()));
        look();
        assertEquals(List.of(), gone);
        lists.addAll(List.of(_ -> "", _ -> "", _ -> "")); // a machine without a lock
        look();
        assertEquals(List.of(file), gone);
    }

    @Test
    void a_number_that_only_begins_or_ends_alike_is_that_of_another_file() {
        TrackedFile.Secret file = track(memory);
        UnaryOperator<String> longer = list -> list.replace(file.number, "1" + file.number + "1");
        lists.addAll(List.of(longer, longer, longer));
        look();
        assertEquals(List.of(file), gone);
    }

    private void assertNotFollowed() {
        HeapException refusal = assertThrows(HeapException.class, () -> track(memory));
        assertEquals(Errno.ENOTSUP, refusal.errno());
        assertEquals(Optional.of("secure"), refusal.heap());
        assertTrue(
                refusal.getMessage().endsWith("its lock is not in /proc/locks; mount all of /proc"),
                refusal::getMessage);
        look();
        assertEquals(List.of(), gone);
    }

    @Test
    void memory_whose_lock_the_kernel_does_not_show_is_refused() {
        fdinfo = info -> info.replace("FLOCK", "POSIX");
        assertNotFollowed();
        fdinfo = AS_IT_IS;
        lists.addAll(List.of(_ -> "", _ -> "", _ -> ""));
        assertNotFollowed();
        lists.add(_ -> null);
        assertNotFollowed();
    }

    @Test
    void memory_that_cannot_be_locked_is_refused() {
        HeapException refusal = assertThrows(HeapException.class, () -> track(1_000_000));
        assertTrue(refusal.getMessage().contains("flock"), refusal::getMessage);
    }
}
