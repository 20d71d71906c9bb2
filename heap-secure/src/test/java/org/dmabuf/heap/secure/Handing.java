// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;

/**
 * Program of the process in the middle. It creates a buffer, gives its descriptor to one process and then to another,
 * and stays until it is killed. The content does not pass through its Java heap.
 */
final class Handing {
    private static final Duration LONG = Duration.ofSeconds(30);

    private Handing() {}

    private record Memory(HeapExporter exporter, Map<String, Object> properties) {}

    /** Treatment of the buffer's memory by the process in the middle. */
    enum Kind {
        /** Secret memory with the default settings: the process refuses to map it. */
        UNSEEN,
        /** Secret memory of a heap that is configured as mappable, mapped for reading. */
        SEEN,
        /** A memfd, mapped for reading: the search must find its content. */
        ORDINARY;

        private Memory memory(int user) {
            if (this == ORDINARY) {
                MemfdSource source = MemfdSource.open("system", Syscalls.linux(), Headroom.machine());
                return new Memory(source, source.properties());
            }
            Announced.Heap heap = SecretMemory.heap(
                    Map.of("heap_mappable", this == SEEN, "heap_peers", new String[] {Integer.toUnsignedString(user)}));
            return new Memory(heap.exporter(), heap.properties());
        }
    }

    public static void main(String[] arguments) throws IOException {
        Kind kind = Kind.valueOf(arguments[0]);
        Path socket = Path.of(arguments[1]);
        int user = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        Memory memory = kind.memory(user);
        HeapBuffer buffer = memory.exporter().allocate(HeapRequest.of(Long.parseLong(arguments[2])));
        try (FdListener listener = FdListener.bind(socket)) {
            System.out.println("listening");
            give(listener, buffer, memory.properties());
            look(kind, buffer);
            give(listener, buffer, memory.properties());
        }
        System.out.println("handed on");
        System.in.read(); // until it is killed, with the buffer open
    }

    /** Gives a descriptor to the next process that connects, and waits until that process is gone. */
    private static void give(FdListener listener, HeapBuffer buffer, Map<String, Object> properties) {
        try (FdSocket peer = listener.accept(LONG, _ -> true);
                OwnedFd descriptor = exported(buffer, properties)) {
            peer.send(descriptor, "secret");
            peer.receive().close();
        } catch (FdSocketException e) {
            if (!e.getMessage().contains("disconnected without sending")) {
                throw e;
            }
        }
    }

    /** Exports with the peer rule of the heap, as a broker does. */
    private static OwnedFd exported(HeapBuffer buffer, Map<String, Object> properties) {
        Optional<PeerRule> rule = PeerRule.of("secure", properties.get(HeapProperties.PEERS));
        OwnedFd descriptor = OwnedFd.awaiting(Syscalls.linux()::close, rule);
        new Descriptors(Syscalls.linux()).duplicate("", buffer.descriptor(), descriptor);
        return descriptor;
    }

    /** If the memory is mappable, the process reads every byte without keeping it. */
    private static void look(Kind kind, HeapBuffer buffer) {
        try {
            MemorySegment mapping = buffer.map(Access.READ);
            byte sum = 0;
            for (long at = 0; at < mapping.byteSize(); at++) {
                sum ^= mapping.get(ValueLayout.JAVA_BYTE, at);
            }
            System.out.println("mapped " + kind + " " + (sum & 0)); // the sum must be used, and is not printed
        } catch (HeapException e) {
            System.out.println("refused " + e.errno());
        }
    }
}
