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
 * A listening Unix socket and its file.
 *
 * <p>The file appears under its name with its mode, and never without: it is made under another name and linked. A link
 * replaces no file, so of two gateways that open at once one finds the other's. The file is removed only while it is
 * the one that was made here.
 */
final class BoundSocket implements AutoCloseable {
    private static final int BACKLOG = 32;

    /** The kernel's limit for the path of a socket, without the zero at the end. */
    private static final int MAX_PATH = 107;

    /** A process listens on the socket that is there already. */
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
     * Opens the socket. A file that an ended process left is replaced.
     *
     * @param user number of this process's user
     * @throws InUseException when a process listens there
     */
    static BoundSocket open(SocketPlace place, int user) throws IOException {
        return open(place, user, ProcessHandle.current().pid());
    }

    /** @param process number of this process, by which the names of its files differ from another's */
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
                    "the path of a socket has at most " + MAX_PATH + " bytes, this one takes " + length
                            + " with a process number; choose a shorter one");
        }
        Files.deleteIfExists(made); // of an ended process that had this number, in a folder that is trusted
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

    /** {@return whether the file has the name now; otherwise another file has it} */
    private static boolean linked(Path name, Path file) throws IOException {
        try {
            Files.createLink(name, file);
            return true;
        } catch (FileAlreadyExistsException e) {
            return false;
        }
    }

    /**
     * Takes away the file of a process that has ended. Another gateway may replace it by its own in between, so it is
     * moved aside first and looked at there.
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
            // it is gone already
        }
    }

    /** A socket on which no process listens refuses. One that is busy may not answer, and is in use. */
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
        try (channel) { // which keeps the file's number from being given to another file
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS) && key(path).equals(file)) {
                Files.deleteIfExists(path);
            }
        }
    }
}
