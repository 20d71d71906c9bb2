// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import org.dmabuf.heap.gateway.control.wire.SocketPlace;

/**
 * Listening Unix socket and its file.
 *
 * <p>The file never appears without its mode: it is created under another name and then linked to its path. A link does
 * not replace a file, so if two gateways open a socket at once, one of them finds the other's. The file is removed only
 * while it is the one that this object created.
 */
final class BoundSocket implements AutoCloseable {
    private static final int BACKLOG = 32;

    /** The kernel's limit for the path of a socket, without the terminating zero. */
    private static final int MAX_PATH = 107;

    /** Failure because a process already listens on the socket. */
    static final class InUseException extends FileSystemException {
        private static final long serialVersionUID = 1L;

        InUseException(Path path) {
            super(path.toString(), null, "another process listens there");
        }
    }

    private final ServerSocketChannel channel;
    private final Path path;
    private final Object file;

    private BoundSocket(ServerSocketChannel channel, Path path, Object file) {
        this.channel = channel;
        this.path = path;
        this.file = file;
    }

    /**
     * Opens the socket. Replaces the file of a process that has ended.
     *
     * @param user number of this process's user
     * @throws InUseException if a process listens there
     */
    static BoundSocket open(SocketPlace place, int user) throws IOException {
        return open(place, user, ProcessHandle.current().pid());
    }

    /** @param process number of this process, which makes the names of its temporary files unique */
    static BoundSocket open(SocketPlace place, int user, long process) throws IOException {
        place.makeFolder();
        place.requireTrustedFolder(user);
        Path path = place.path();
        Path made = path.resolveSibling(path.getFileName() + "." + process);
        int length = made.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_PATH) {
            throw new FileSystemException(
                    path.toString(),
                    null,
                    "a socket's path has at most " + MAX_PATH + " bytes, but this one needs " + length
                            + " with a process number; choose a shorter path");
        }
        Files.deleteIfExists(made); // left by an ended process with the same number; the folder is trusted
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        boolean opened = false;
        try {
            channel.bind(UnixDomainSocketAddress.of(made), BACKLOG);
            Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-------"));
            BoundSocket socket = new BoundSocket(channel, path, key(made)); // the link is the same file
            while (!linked(path, made)) {
                removeUnused(place, user, path.resolveSibling(path.getFileName() + "~" + process));
            }
            opened = true; // last: nothing fails after the file has its name
            return socket;
        } finally {
            Files.deleteIfExists(made);
            if (!opened) {
                channel.close();
            }
        }
    }

    /** {@return whether the file has the name now; if not, another file has it} */
    private static boolean linked(Path name, Path file) throws IOException {
        try {
            Files.createLink(name, file);
            return true;
        } catch (FileAlreadyExistsException e) {
            return false;
        }
    }

    /**
     * Removes the file of a process that has ended. Another gateway may replace it in between, so it is first renamed
     * and then checked under the new name.
     */
    private static void removeUnused(SocketPlace place, int user, Path aside) throws IOException {
        try {
            place.requireSocketOf(user);
            Object unused = key(place.path());
            requireUnused(place.path());
            Files.move(place.path(), aside, StandardCopyOption.ATOMIC_MOVE);
            if (!key(aside).equals(unused)) {
                linked(place.path(), aside);
            }
            Files.delete(aside);
        } catch (NoSuchFileException e) {
            // the file is already gone
        }
    }

    /** Whether a socket is in use. One without a listening process refuses; one that is busy may not answer. */
    private static void requireUnused(Path path) throws IOException {
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            probe.configureBlocking(false);
            probe.connect(UnixDomainSocketAddress.of(path));
        } catch (ConnectException e) {
            return;
        } catch (IOException e) {
            if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                throw new NoSuchFileException(path.toString());
            }
            InUseException inUse = new InUseException(path);
            inUse.addSuppressed(e);
            throw inUse;
        }
        throw new InUseException(path);
    }

    private static Object key(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .fileKey();
    }

    ServerSocketChannel channel() {
        return channel;
    }

    Path path() {
        return path;
    }

    @Override
    public void close() throws IOException {
        try (channel) { // the open channel keeps the file's number from being reused
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS) && key(path).equals(file)) {
                Files.deleteIfExists(path);
            }
        }
    }
}
