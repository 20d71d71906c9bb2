// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.ReceivedPacket;

/**
 * Message of an OCI runtime that starts a container: the state of its process as JSON, and a listener. There is no
 * reply. If the agent closes the listener, the container's calls on its nodes fail with ENOSYS.
 */
final class RuntimeConversation implements Consumer<PacketSocket> {
    private static final QuietLog LOG = new QuietLog(RuntimeConversation.class);
    private static final int PIECE = 64 << 10;
    private static final int MOST_BYTES = 1 << 20; // annotations can be long

    private final Clients clients;
    private final Map<String, Node> nodes;
    private final Map<String, NodeFile> files;

    /** @param nodes the nodes of the settings, by their paths */
    RuntimeConversation(Clients clients, Map<String, Node> nodes) {
        this.clients = clients;
        this.nodes = nodes;
        files = nodes.keySet().stream().collect(Collectors.toMap(path -> path, _ -> NodeFile.DEVICE));
    }

    @Override
    public void accept(PacketSocket connection) {
        ByteArrayOutputStream json = new ByteArrayOutputStream();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(PIECE, 8);
            try (ReceivedPacket first = connection.receiveWithDescriptor(space)) {
                append(json, first, space);
                ReceivedPacket piece = first;
                while (piece.size() > 0 && json.size() <= MOST_BYTES && !isComplete(json)) {
                    piece = connection.receive(space);
                    append(json, piece, space);
                }
                attach(json, first.descriptor());
            }
        } catch (AttachmentRefusal | IllegalArgumentException e) {
            LOG.warn("a container's listener is refused, so its calls on nodes fail: {}", e.getMessage());
        }
    }

    private static void append(ByteArrayOutputStream json, ReceivedPacket piece, MemorySegment space) {
        if (piece.hadUnwantedDescriptors()) {
            throw new IllegalArgumentException("invalid descriptors: expected one with the first byte");
        }
        json.writeBytes(space.asSlice(0, piece.size()).toArray(JAVA_BYTE));
    }

    /** A runtime may send the state in pieces. runc 1.1 leaves the connection open after the last one. */
    private static boolean isComplete(ByteArrayOutputStream json) {
        try {
            JsonReader.read(text(json.toByteArray()));
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private void attach(ByteArrayOutputStream json, Optional<OwnedFd> listener) throws AttachmentRefusal {
        if (json.size() > MOST_BYTES) {
            throw new IllegalArgumentException("invalid state: expected at most " + MOST_BYTES + " bytes");
        }
        ContainerState state = ContainerState.of(text(json.toByteArray()));
        OwnedFd descriptor =
                listener.orElseThrow(() -> new IllegalArgumentException("invalid message: expected a descriptor"));
        ClientId id = ClientId.of("container", state.client());
        clients.attach(descriptor, new Client(id, state.pid(), state.id(), nodes, files));
    }

    private static String text(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("invalid state: expected UTF-8", e);
        }
    }
}
