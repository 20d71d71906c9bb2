// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/** Shell commands that send buffers to other processes and receive buffers from them. */
@Component(
        immediate = true,
        service = {HandOverCommands.class, CommandSet.class},
        property = {
            "osgi.command.scope=dmaheap",
            "osgi.command.function=share",
            "osgi.command.function=send",
            "osgi.command.function=receive"
        })
public final class HandOverCommands implements CommandSet {
    private static final Option TIMEOUT =
            Option.valued('t', "timeout", "SECONDS", "longest wait for the other process; default 30");
    private static final Option NAME =
            Option.valued('n', "name", "NAME", "the buffer's name here; default: the sender's name");

    private static final Syntax SHARE_SYNTAX = Syntax.of(
                    "share", "Waits on a new socket for one process and sends it a buffer's descriptor")
            .taking("NAME SOCKET", 2, 2)
            .with(TIMEOUT, Peers.TO, Peers.TO_GROUP, Option.JSON)
            .noting("""
                    Without --to and --to-group, the process must run as the gateway's own user,
                    and the socket's file has mode 0600. With --to another user its mode is
                    0666. With --to-group the file belongs to the group and its mode is 0660.
                    The folder must also permit the access.
                    The gateway checks each process that connects before it sends anything, and
                    disconnects it if it may not have the buffer. It checks the credentials that
                    the kernel recorded when the process connected (SO_PEERCRED, SO_PEERGROUPS):
                    the effective user or, for --to-group, the effective and supplementary
                    groups. A later change of /etc/group has no effect. If the heap has
                    heap.peers, only the users in that list get the buffer.""");
    private static final Syntax SEND_SYNTAX = Syntax.of(
                    "send", "Connects to a listening process and sends it a buffer's descriptor")
            .taking("NAME SOCKET", 2, 2)
            .with(TIMEOUT, Peers.TO, Peers.TO_GROUP, Option.JSON)
            .noting("""
                    SOCKET has type SOCK_SEQPACKET; send waits until a process listens on it.
                    Without --to and --to-group, the process must run as the gateway's own user
                    or, if the buffer's heap has heap.peers, as a user in that list.
                    The gateway checks the credentials that the kernel recorded when the process
                    began to listen (SO_PEERCRED, SO_PEERGROUPS): the effective user or, for
                    --to-group, the effective and supplementary groups. If the heap has
                    heap.peers, only the users in that list get the buffer.""");
    private static final Syntax RECEIVE_SYNTAX = Syntax.of(
                    "receive", "Connects to a listening process and adopts the buffer that it sends")
            .taking("SOCKET", 1, 1)
            .with(TIMEOUT, NAME, Option.JSON)
            .noting("It waits until a process listens on SOCKET and sends.\nThe sender can be of any user.");

    private final HandOver handOver;
    private final NamedBuffers buffers;

    /**
     * Creates the commands.
     *
     * @param broker broker that adopts received memory
     * @param buffers buffers that the shell holds
     */
    @Activate
    public HandOverCommands(@Reference HeapBroker broker, @Reference NamedBuffers buffers) {
        this.handOver = new HandOver(broker);
        this.buffers = buffers;
    }

    @Override
    public List<Syntax> syntaxes() {
        return List.of(SHARE_SYNTAX, SEND_SYNTAX, RECEIVE_SYNTAX);
    }

    @Override
    public Optional<List<String>> values(String place) {
        return place.equals("NAME") ? Optional.of(buffers.names()) : Optional.empty();
    }

    @Deactivate
    void stop() {
        handOver.endWaits();
    }

    @Descriptor("wait on a socket for another process and send it a buffer's descriptor")
    public void share(
            CommandSession session, @Descriptor("NAME SOCKET; dmaheap:share --help has the options") Object... words) {
        give(session, SHARE_SYNTAX, words, peers -> "one process of " + peers.text(), handOver::share);
    }

    @Descriptor("connect to the socket of another process and send it a buffer's descriptor")
    public void send(
            CommandSession session, @Descriptor("NAME SOCKET; dmaheap:send --help has the options") Object... words) {
        give(session, SEND_SYNTAX, words, _ -> "a process that listens", handOver::send);
    }

    /** One of the two ways to give a buffer to another process. */
    @FunctionalInterface
    private interface Giving {
        PeerCredentials give(HeldBuffer buffer, String name, Path socket, Peers peers, Duration timeout)
                throws InterruptedException;
    }

    private void give(
            CommandSession session, Syntax syntax, Object[] words, Function<Peers, String> awaited, Giving way) {
        Command.run(session, syntax, words, (line, out) -> {
            Path socket = socket(session, line.argument(1));
            Duration timeout = timeout(line);
            Peers peers = Peers.of(line, UserDatabase.local());
            String name = line.argument(0);
            try (HeldBuffer held = buffers.borrow(name)) {
                PeerCredentials peer;
                try (CtrlC _ = CtrlC.interrupting(session);
                        Progress _ = waiting(out, timeout, awaited.apply(peers), socket)) {
                    peer = way.give(held, name, socket, peers, timeout);
                }
                report(line, out, held.info(name), "given to", peer);
            }
        });
    }

    @Descriptor("connect to the socket of another process and adopt the buffer that it sends")
    public void receive(
            CommandSession session, @Descriptor("SOCKET; dmaheap:receive --help has the options") Object... words) {
        Command.run(session, RECEIVE_SYNTAX, words, (line, out) -> {
            Path socket = socket(session, line.argument(0));
            Duration timeout = timeout(line);
            line.value(NAME).ifPresent(buffers::requireFree);
            buffers.expectFrom(session);
            HandOver.Received received;
            BufferInfo kept;
            try (CtrlC _ = CtrlC.interrupting(session);
                    Progress _ = waiting(out, timeout, "a process that offers a buffer", socket)) {
                received = handOver.receive(
                        socket,
                        timeout,
                        theirs -> line.value(NAME).orElseGet(() -> isTypable(theirs) ? theirs : buffers.freshName()));
                HeldBuffer held = received.buffer();
                kept = buffers.keep(session, received.name(), held.buffer(), held.content());
            }
            report(line, out, kept, "received from", received.from());
        });
    }

    private static Progress waiting(Output out, Duration timeout, String what, Path socket) {
        return Progress.saying(
                out,
                "waiting up to " + timeout.toSeconds() + " s for " + what + " at " + Printable.of(socket.toString())
                        + "; Ctrl-C ends it");
    }

    private static void report(Line line, Output out, BufferInfo buffer, String how, PeerCredentials peer) {
        if (line.has(Option.JSON)) {
            Map<String, Object> process = new LinkedHashMap<>();
            if (peer.pid() != 0) {
                process.put("pid", peer.pid());
            }
            process.put("uid", Integer.toUnsignedLong(peer.uid()));
            process.put("gid", Integer.toUnsignedLong(peer.gid()));
            Map<String, Object> map = buffer.toMap();
            map.put("peer", process);
            out.json(map);
        } else {
            out.print(buffer.addTo(new Facts())
                    .addSize("content", buffer.content())
                    .add(how, peer.toString())
                    .toString());
        }
    }

    /** Whether a sender's name for its buffer is usable as an argument of a command and prints without surprises. */
    private static boolean isTypable(String name) {
        return !name.isBlank()
                && !name.startsWith("-")
                && name.getBytes(StandardCharsets.UTF_8).length <= BufferCommands.NAME_BYTES
                && name.codePoints().noneMatch(HandOverCommands::isUntypable);
    }

    private static boolean isUntypable(int character) {
        return Character.isWhitespace(character)
                || Character.isISOControl(character)
                || Character.getType(character) == Character.FORMAT;
    }

    /** A Path drops a trailing slash, which marks a folder. */
    private static Path socket(CommandSession session, String path) {
        if (path.isEmpty() || path.endsWith("/")) {
            throw new IllegalArgumentException(
                    "invalid SOCKET = '" + path + "': expected the path of a file, at most 107 bytes");
        }
        return session.currentDir().resolve(path);
    }

    private static Duration timeout(Line line) {
        return Duration.ofSeconds(Numbers.whole("timeout", line.value(TIMEOUT).orElse("30"), 1, 3600));
    }
}
