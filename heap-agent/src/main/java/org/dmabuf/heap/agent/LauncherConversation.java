// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.socket.ReceivedPacket;

/** One request of a launcher, with its reply. The client is the user that connected, as the kernel reports it. */
final class LauncherConversation implements Consumer<PacketSocket> {
    private final Clients clients;
    private final Map<String, Node> nodes;

    /** @param nodes the nodes of the settings, by their paths */
    LauncherConversation(Clients clients, Map<String, Node> nodes) {
        this.clients = clients;
        this.nodes = nodes;
    }

    @Override
    public void accept(PacketSocket connection) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(LauncherPacket.MOST_BYTES, 8);
            try (ReceivedPacket packet = connection.receiveWithDescriptor(space)) {
                if (packet.size() > 0) {
                    connection.send(reply(connection.peer(), packet, space).encode(space));
                }
            }
        }
    }

    private LauncherPacket reply(PeerCredentials peer, ReceivedPacket packet, MemorySegment space) {
        int operation = 0;
        try {
            if (packet.isCut() || packet.hadUnwantedDescriptors()) {
                throw new IllegalArgumentException(
                        "invalid packet: expected at most " + LauncherPacket.MOST_BYTES + " bytes and one descriptor");
            }
            LauncherPacket request = LauncherPacket.request(space.asSlice(0, packet.size()));
            operation = request.operation();
            return new LauncherPacket(operation, 0, result(request, peer, packet));
        } catch (IllegalArgumentException e) {
            return new LauncherPacket(operation, -Errno.EINVAL.number(), e.getMessage());
        } catch (AttachmentRefusal e) {
            return new LauncherPacket(operation, -e.errno().number(), e.getMessage());
        }
    }

    private String result(LauncherPacket request, PeerCredentials peer, ReceivedPacket packet)
            throws AttachmentRefusal {
        return switch (request.operation()) {
            case LauncherPacket.NODES ->
                nodes.values().stream()
                        .map(node -> node.path() + " " + node.abi() + "\n")
                        .sorted()
                        .collect(Collectors.joining());
            case LauncherPacket.ATTACH -> {
                attach(request.text(), peer, packet);
                yield "";
            }
            default ->
                throw new IllegalArgumentException("invalid operation = " + request.operation() + ": expected 1 or 2");
        };
    }

    private void attach(String lines, PeerCredentials peer, ReceivedPacket packet) throws AttachmentRefusal {
        OwnedFd listener = packet.descriptor()
                .orElseThrow(() -> new IllegalArgumentException("invalid packet: expected the listener's descriptor"));
        Map<String, NodeFile> files = files(lines);
        Map<String, Node> seen = new HashMap<>(nodes);
        seen.keySet().retainAll(files.keySet());
        ClientId id = ClientId.of("uid", Integer.toUnsignedString(peer.uid()));
        clients.attach(listener, new Client(id, peer.pid(), controlGroup(peer.pid()), seen, files));
    }

    private Map<String, NodeFile> files(String lines) {
        Map<String, NodeFile> files = new HashMap<>();
        for (String line : lines.lines().toList()) {
            int blank = line.lastIndexOf(' ');
            String path = line.substring(0, Math.max(blank, 0));
            if (!nodes.containsKey(path)) {
                throw new IllegalArgumentException("unknown node '" + path + "': expected one of "
                        + nodes.keySet().stream().sorted().toList());
            }
            files.put(
                    path,
                    switch (line.substring(blank + 1)) {
                        case "device" -> NodeFile.DEVICE;
                        case "file" -> NodeFile.FILE;
                        default ->
                            throw new IllegalArgumentException(
                                    "invalid line '" + line + "': expected PATH device or PATH file");
                    });
        }
        return files;
    }

    /** {@return path of the process's control group, empty if it cannot be read} */
    private static String controlGroup(int pid) {
        try {
            return Files.readAllLines(Path.of("/proc/" + pid + "/cgroup")).stream()
                    .map(line -> line.substring(line.lastIndexOf(':') + 1))
                    .findFirst()
                    .orElse("");
        } catch (IOException e) {
            return "";
        }
    }
}
