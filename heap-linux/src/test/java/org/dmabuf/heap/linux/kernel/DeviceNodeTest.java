// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceNodeTest {
    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final DeviceNode device = DeviceNode.open(syscalls.calling(), "camera", "/dev/null");

    @ParameterizedTest
    @ValueSource(strings = {"fifo", "file", "folder"})
    void a_file_that_is_not_a_character_device_is_refused_at_once_and_leaves_nothing(String kind, @TempDir Path folder)
            throws Exception {
        Path node = folder.resolve(kind);
        switch (kind) {
            case "fifo" ->
                assertEquals(
                        0, new ProcessBuilder("mkfifo", node.toString()).start().waitFor());
            case "file" -> Files.createFile(node);
            default -> Files.createDirectory(node);
        }
        HeapException refusal = assertTimeoutPreemptively(
                Duration.ofSeconds(30),
                () -> assertThrows(
                        HeapException.class, () -> DeviceNode.open(syscalls.calling(), "camera", node.toString())));
        assertEquals(Errno.ENOTTY, refusal.errno());
        assertEquals(
                "heap 'camera': open(" + node + ") failed: not a character device; remove the file, and give a"
                        + " container the node of the host",
                refusal.getMessage());
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void a_node_whose_kind_is_not_known_is_refused_and_closed() {
        syscalls.answer("mode", -Errno.ENOMEM.number());
        assertEquals(
                Errno.ENOMEM,
                assertThrows(HeapException.class, () -> DeviceNode.open(syscalls.calling(), "camera", "/dev/null"))
                        .errno());
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void a_number_is_closed_when_the_last_call_on_it_has_returned() {
        device.enter();
        device.enter();
        device.close();
        device.leave();
        assertEquals(0, syscalls.count("close"));
        device.leave();
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void a_device_without_calls_is_closed_at_once_and_once() {
        device.close();
        assertEquals(1, syscalls.count("close"));
        device.close();
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void no_call_begins_on_a_closed_device_even_while_others_are_under_way() {
        device.enter();
        device.close();
        assertEquals(
                Errno.ENODEV, assertThrows(HeapException.class, device::enter).errno());
        device.leave();
        HeapException refusal = assertThrows(HeapException.class, device::enter);
        assertEquals(
                "heap 'camera': it has left, and /dev/null is closed; use an announced heap", refusal.getMessage());
        assertEquals(1, syscalls.count("close"));
    }
}
