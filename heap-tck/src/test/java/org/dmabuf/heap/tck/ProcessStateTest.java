// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessStateTest {
    private static final int MFD_CLOEXEC = 1;

    private final Syscalls linux = Syscalls.linux();

    private OwnedFd memfd() {
        int fd = linux.memfdCreate("process-state", MFD_CLOEXEC);
        assertEquals(0, linux.fallocate(fd, 0, 0, 4096));
        return OwnedFd.of(fd, linux::close);
    }

    @Test
    void nothing_done_leaves_nothing() {
        ProcessState before = ProcessState.now();
        assertEquals(List.of(), before.leftIn(ProcessState.now()));
        before.assertNothingLeft();
    }

    @Test
    void an_open_descriptor_is_listed_by_number_and_file() {
        ProcessState before = ProcessState.now();
        try (OwnedFd fd = memfd()) {
            assertEquals(
                    List.of("descriptor " + fd.fd() + " of /memfd:process-state (deleted)"),
                    before.leftIn(ProcessState.now()));
            AssertionError left = assertThrows(AssertionError.class, () -> before.assertNothingLeft(Duration.ZERO));
            assertEquals(
                    "1 left behind:\n  descriptor " + fd.fd() + " of /memfd:process-state (deleted)",
                    left.getMessage());
        }
        before.assertNothingLeft();
    }

    @Test
    void a_shared_mapping_is_listed_after_its_descriptor_is_gone() {
        ProcessState before = ProcessState.now();
        try (Arena arena = Arena.ofConfined()) {
            try (OwnedFd fd = memfd()) {
                new Mappings(linux).map(fd, 4096, Access.READ, arena);
            }
            List<String> left = before.leftIn(ProcessState.now());
            assertEquals(1, left.size(), left::toString);
            String line = "mapping [0-9a-f]+-[0-9a-f]+ r--s of /memfd:process-state \\(deleted\\), inode \\d+";
            assertTrue(left.getFirst().matches(line), left::toString);
        }
        before.assertNothingLeft();
    }

    @Test
    void two_mappings_of_one_file_are_two() {
        ProcessState before = ProcessState.now();
        try (OwnedFd fd = memfd();
                Arena arena = Arena.ofConfined()) {
            new Mappings(linux).map(fd, 4096, Access.READ, arena);
            new Mappings(linux).map(fd, 4096, Access.READ_WRITE, arena);
            assertEquals(3, before.leftIn(ProcessState.now()).size());
        }
    }

    @Test
    void descriptors_from_before_are_not_reported() {
        try (OwnedFd fd = memfd()) {
            ProcessState before = ProcessState.now();
            assertTrue(fd.fd() >= 0);
            before.assertNothingLeft();
        }
    }

    @Test
    void a_release_by_another_thread_is_waited_for() throws InterruptedException {
        ProcessState before = ProcessState.now();
        OwnedFd fd = memfd();
        CountDownLatch looked = new CountDownLatch(1);
        Thread reaper = Thread.ofPlatform().start(() -> {
            try {
                looked.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            fd.close();
        });
        assertEquals(1, before.leftIn(ProcessState.now()).size());
        looked.countDown();
        before.assertNothingLeft();
        reaper.join();
    }

    @Test
    void a_thread_has_grown_although_another_of_its_name_has_ended() throws InterruptedException {
        CountDownLatch end = new CountDownLatch(1);
        Thread first = Thread.ofPlatform().name("camera-1").start(() -> await(end));
        ProcessState before = ProcessState.now();
        end.countDown();
        first.join();
        CountDownLatch later = new CountDownLatch(1);
        Thread second = Thread.ofPlatform().name("camera-2").start(() -> await(later));
        ProcessState after = ProcessState.now();
        assertTrue(before.grownIn(after, 1).contains("1 more: thread 'camera-'"));
        assertFalse(before.grownIn(after, 2).toString().contains("camera-"));
        later.countDown();
        second.join();
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void a_jar_that_the_machine_keeps_open_is_not_reported(@TempDir Path folder) throws IOException {
        ProcessState before = ProcessState.now();
        try (var jar = Files.newByteChannel(Files.createFile(folder.resolve("lazily-opened.jar")))) {
            assertTrue(jar.isOpen());
            before.assertNothingLeft();
        }
        try (var other = Files.newByteChannel(Files.createFile(folder.resolve("frames.raw")))) {
            assertTrue(other.isOpen());
            assertEquals(1, before.leftIn(ProcessState.now()).size());
        }
    }
}
