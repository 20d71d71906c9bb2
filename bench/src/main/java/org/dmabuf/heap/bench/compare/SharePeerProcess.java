// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocket;

/** The process of a {@link SharePeer}, with the connections to it. */
final class SharePeerProcess implements AutoCloseable {
    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final SocketChannel commands;
    private final FdSocket descriptors;
    private final FileChannel pipe;

    SharePeerProcess() throws IOException {
        Path folder = Files.createTempDirectory("compare");
        Path path = folder.resolve(SharePeer.COMMANDS);
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
                FdListener descriptorListener = FdListener.bind(folder.resolve(SharePeer.DESCRIPTORS))) {
            listener.bind(UnixDomainSocketAddress.of(path));
            run("mkfifo", folder.resolve(SharePeer.PIPE).toString());
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Dtwin=" + System.getProperty("twin"),
                            "--enable-native-access=ALL-UNNAMED",
                            "-cp",
                            System.getProperty("java.class.path"),
                            SharePeer.class.getName(),
                            folder.toString())
                    .inheritIO()
                    .start();
            open.push(() -> {
                process.destroy();
                process.waitFor();
            });
            commands = opened(listener.accept());
            descriptors = opened(descriptorListener.accept(SharePeer.PATIENCE, _ -> true));
            pipe = opened(FileChannel.open(folder.resolve(SharePeer.PIPE), StandardOpenOption.WRITE));
        } finally {
            Files.deleteIfExists(path);
            Files.deleteIfExists(folder.resolve(SharePeer.PIPE));
            Files.deleteIfExists(folder);
        }
    }

    private <C extends AutoCloseable> C opened(C connection) {
        open.push(connection);
        return connection;
    }

    private static void run(String... command) throws IOException {
        try {
            if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
                throw new IOException(command[0] + " failed");
            }
        } catch (InterruptedException e) {
            throw new IOException(command[0] + " was interrupted", e);
        }
    }

    /** Passes a frame to the peer, which reads every byte. {@return the peer's answer} */
    PeerCommand.Answer pass(PeerCommand.Way way, OwnedFd descriptor, MemorySegment frame) {
        try {
            new PeerCommand(way, frame.byteSize()).send(commands);
            switch (way) {
                case DESCRIPTOR, UNALIGNED -> descriptors.send(descriptor, "frame");
                case PIPE -> PeerCommand.writeAll(pipe, frame.asByteBuffer());
                case SOCKET -> PeerCommand.writeAll(commands, frame.asByteBuffer());
            }
            return PeerCommand.awaitAnswer(commands);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (IOException e) {
                throw e;
            } catch (Exception e) {
                throw new IOException("closing a connection to the peer failed", e);
            }
        }
    }
}
