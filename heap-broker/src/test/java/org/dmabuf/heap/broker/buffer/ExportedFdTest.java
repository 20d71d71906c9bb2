// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the heap's peer rule, which stays with a descriptor that is sent on. */
class ExportedFdTest {
    private static final Duration LONG = Duration.ofSeconds(20);

    private final BrokerParts broker = new BrokerParts();

    @TempDir
    Path folder;

    @AfterEach
    void stop() {
        broker.close();
    }

    private void heap(String name, Integer... peers) {
        MemfdSource source = MemfdSource.open(name, Syscalls.linux(), Headroom.machine());
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.PEERS, peers);
        broker.heap(name, source, properties);
    }

    @Test
    void a_peer_that_the_heap_does_not_list_gets_no_descriptor_of_a_buffer() throws Exception {
        int self = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        heap("closed");
        heap("own", self);
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket peer = FdSocket.connect(listener.path(), LONG);
                FdSocket sender = listener.accept(LONG, _ -> true)) {
            try (DmaBuf buffer = broker.allocate(AllocationRequest.of(1).withHeaps("closed"));
                    OwnedFd descriptor = buffer.exportFd()) {
                FdSocketException refusal =
                        assertThrows(FdSocketException.class, () -> sender.send(descriptor, "secret"));
                assertEquals(Errno.EACCES, refusal.errno());
                assertTrue(refusal.getMessage().startsWith("heap 'closed': "), refusal::getMessage);
            }
            try (DmaBuf buffer = broker.allocate(AllocationRequest.of(1).withHeaps("own"));
                    OwnedFd descriptor = buffer.exportFd()) {
                sender.send(descriptor, "secret");
                peer.receive().close();
            }
        }
    }

    @Test
    void a_descriptor_keeps_the_peer_rule_of_its_heap_after_the_buffer_is_closed() {
        heap("camera", 7);
        DmaBuf buffer = broker.allocate(1);
        try (OwnedFd descriptor = buffer.exportFd()) {
            buffer.close();
            broker.remove(broker.registry.routes().named("camera"));
            PeerRule rule = descriptor.peers().orElseThrow();
            assertEquals("camera", rule.heap());
            assertEquals(Set.of(7), rule.users());
        }
    }

    @Test
    void a_descriptor_of_a_heap_without_a_peer_rule_has_none() {
        broker.memfd("system");
        try (DmaBuf buffer = broker.allocate(1);
                OwnedFd descriptor = buffer.exportFd()) {
            assertEquals(Optional.empty(), descriptor.peers());
        }
    }
}
