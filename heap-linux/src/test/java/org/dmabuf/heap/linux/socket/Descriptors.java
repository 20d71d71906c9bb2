// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Check that a test leaves no socket and no memfd that it sends. */
final class Descriptors implements BeforeEachCallback, AfterEachCallback {
    private static final String NAME = "sent";

    private List<String> before;

    @Override
    public void beforeEach(ExtensionContext context) throws IOException {
        FdSocket.require("warm", 0, ""); // classes are initialized before descriptors are counted
        before = open();
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        assertEquals(before, open());
    }

    /** {@return a memfd to send} */
    static OwnedFd memfd() {
        Syscalls syscalls = Syscalls.linux();
        return OwnedFd.of(syscalls.memfdCreate(NAME, 1), syscalls::close);
    }

    /** {@return sockets and memfds of this process, without files that the JVM opens at any time} */
    static List<String> open() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.map(fd -> {
                        try {
                            return Files.readSymbolicLink(fd).toString();
                        } catch (IOException e) {
                            return ""; // the descriptor of the listing itself
                        }
                    })
                    .filter(target -> target.startsWith("socket:") || target.startsWith("/memfd:" + NAME))
                    .sorted()
                    .toList();
        }
    }
}
