// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.UUID;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NotifySocketTest {
    private final SocketCalls sockets = SocketCalls.linux();

    private OwnedFd bound(String address) {
        OwnedFd manager = OwnedFd.of(sockets.datagramSocket(), Syscalls.linux()::close);
        assertEquals(0, sockets.bind(manager.fd(), address));
        assertEquals(0, sockets.receiveTimeout(manager.fd(), 20_000));
        return manager;
    }

    private String received(OwnedFd manager) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(100);
            MessageHeader header = new MessageHeader();
            header.plain(space);
            int length = (int) sockets.receive(manager.fd(), header.msghdr());
            return new String(space.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), UTF_8);
        }
    }

    @Test
    void each_message_is_one_datagram(@TempDir Path folder) {
        String path = folder.resolve("notify").toString();
        NotifySocket notify = NotifySocket.at(path);
        try (OwnedFd manager = bound(path)) {
            notify.send("READY=1");
            notify.send("WATCHDOG=1");
            assertEquals("READY=1", received(manager));
            assertEquals("WATCHDOG=1", received(manager));
        }
    }

    @Test
    void an_address_may_be_abstract() {
        String name = "dmaheap-test-" + UUID.randomUUID();
        try (OwnedFd manager = bound('\0' + name)) {
            NotifySocket.at('@' + name).send("READY=1");
            assertEquals("READY=1", received(manager));
        }
    }

    @Test
    void a_message_without_a_service_manager_is_an_error(@TempDir Path folder) {
        NotifySocket gone = NotifySocket.at(folder.resolve("notify").toString());
        assertEquals(
                Errno.ENOENT,
                assertThrows(FdSocketException.class, () -> gone.send("READY=1"))
                        .errno());
    }

    @Test
    void a_service_manager_that_does_not_read_is_not_waited_for_without_end(@TempDir Path folder) {
        String path = folder.resolve("notify").toString();
        try (OwnedFd _ = bound(path)) {
            FdSocketException failed = assertThrows(FdSocketException.class, () -> {
                while (true) {
                    NotifySocket.at(path).send("WATCHDOG=1");
                }
            });
            assertEquals(Errno.ETIMEDOUT, failed.errno());
        }
    }

    @Test
    void an_address_of_another_kind_is_refused() {
        for (String address : new String[] {"", "@", "/", "vsock:2:1", "notify"}) {
            assertThrows(IllegalArgumentException.class, () -> NotifySocket.at(address), address);
        }
    }
}
