// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeBundle;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Server with a real broker, real memory and real sockets, in one process. After each test nothing is left. */
abstract class ServedTest {
    static final String[] NONE = {};
    static final int PAGE = 4096;
    static final long PID = ProcessHandle.current().pid();

    @TempDir
    Path folder;

    final BrokerParts broker = new BrokerParts();
    final FakeBundle bundle = new FakeBundle("org.dmabuf.heap.native").registering();
    final Map<String, DmaBuf> published = new HashMap<>();
    final CountDownLatch hang = new CountDownLatch(1);
    Path path;
    String user;
    ClientId self;
    NativeServer server;

    @BeforeEach
    void serve() throws IOException {
        path = folder.resolve("native.socket");
        user = "uid:" + Integer.toUnsignedString(UserDatabase.ownUser());
        self = ClientId.of("uid", Integer.toUnsignedString(UserDatabase.ownUser()));
        broker.memfd("system");
        rules(NONE, "org.dmabuf.heap.native");
        server = NativeServer.start(
                settings(Map.of("allow", "system=" + user + " hanging=" + user)),
                broker(),
                broker.monitor(),
                publications(),
                Duration.ofMillis(200),
                Duration.ofSeconds(3));
    }

    @AfterEach
    void nothing_is_left() throws IOException {
        hang.countDown();
        server.close();
        assertFalse(Files.exists(path));
        broker.clients.stopAll();
        published.values().forEach(DmaBuf::close);
        Await.until("all memory is back", () -> broker.monitor().buffers().isEmpty());
        broker.close();
        Await.until(
                "no thread of the server is left",
                () -> Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().startsWith("dmaheap-native")));
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            assertEquals(0, open.filter(fd -> target(fd).startsWith("/memfd:")).count());
        }
    }

    private static String target(Path fd) {
        try {
            return Files.readSymbolicLink(fd).toString();
        } catch (IOException e) {
            return "";
        }
    }

    HeapBroker broker() {
        return broker.clients.getService(bundle.bundle(), null);
    }

    void rules(String[] quota, String... views) {
        broker.ledger.apply(BrokerParts.rules(NONE, quota, NONE, NONE, views));
    }

    private Publications publications() {
        return new Publications() {
            @Override
            public List<Reply.PublishedEntry> list() {
                return published.keySet().stream()
                        .sorted()
                        .map(name -> new Reply.PublishedEntry(name, PAGE, "system"))
                        .toList();
            }

            @Override
            public Optional<DmaBuf> open(String name, boolean write) {
                return Optional.ofNullable(published.get(name)).map(DmaBuf::newReference);
            }
        };
    }

    NativeSettings settings(Map<String, String> configured) throws IOException {
        Map<String, String> all = new HashMap<>(configured);
        all.putIfAbsent("path", path.toString());
        return MadeUpConfig.settings(all);
    }

    void apply(Map<String, String> configured) throws IOException {
        NativeSettings settings = settings(configured);
        assertEquals(server.place(), settings.place());
        server.apply(settings);
    }
}
