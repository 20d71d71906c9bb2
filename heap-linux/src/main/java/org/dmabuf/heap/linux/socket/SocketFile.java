// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Semaphore;
import java.util.random.RandomGenerator;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Printable;

/**
 * File of a Unix socket, addressed by its name in an open folder, so that renaming or replacing the folder has no
 * effect. It removes a file only if it is a socket of this user on which no process listens.
 *
 * <p>The kernel cannot check and remove a file in one call. A file is therefore renamed to a random name in the same
 * folder, checked again, and only then removed. If another file took its place in between, that file is renamed back,
 * without replacing a third one. Limitation: for that moment such a file is missing under its name. Processes that use
 * this class exclude each other by a lock (flock) of the folder.
 *
 * <p>One thread at a time uses an object.
 */
final class SocketFile implements AutoCloseable {
    /** Longest path of a socket in bytes: {@code sun_path} of {@code struct sockaddr_un}, less its NUL. */
    static final int PATH_BYTES = 107;

    private static final int O_PATH = 0x200000;
    /** arm64 has another value than x86-64 and riscv64. */
    private static final int O_NOFOLLOW = System.getProperty("os.arch").equals("aarch64") ? 0x8000 : 0x20000;

    private static final int S_IFMT = 0xF000;
    private static final int S_IFSOCK = 0xC000;

    private static final long LOCK_PATIENCE_MILLIS = 1000;
    private static final long LOCK_PAUSE_MILLIS = 5;

    /** Identity of a file, valid while it exists, and whether it is a socket. */
    private record Identity(Object device, Object inode, Object owner, boolean isSocket) {}

    private final Syscalls syscalls;
    private final SocketCalls sockets;
    private final Path path;
    private final String name;
    private final OwnedFd folder;
    /** Identity of the file that {@link #bind} made. */
    private Identity own;
    /** Owner of such a file. */
    private Object owner;

    private SocketFile(Syscalls syscalls, SocketCalls sockets, Path path, String name, OwnedFd folder) {
        this.syscalls = syscalls;
        this.sockets = sockets;
        this.path = path;
        this.name = name;
        this.folder = folder;
    }

    /**
     * Opens the folder of a path. The file need not exist.
     *
     * @param path at most {@value #PATH_BYTES} bytes
     * @return the file, which the caller closes
     * @throws FdSocketException {@link Errno#EINVAL} for a path without a file's name, {@link Errno#ENAMETOOLONG}, or
     *     an error of the kernel for the folder
     */
    static SocketFile open(Syscalls syscalls, SocketCalls sockets, Path path) {
        String name = path.getFileName() == null ? "" : path.getFileName().toString();
        if (name.isEmpty() || name.equals(".") || name.equals("..")) {
            throw new FdSocketException(
                    Errno.EINVAL,
                    "invalid path of a socket '" + Printable.of(path.toString()) + "': expected the name of a file");
        }
        int bytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > PATH_BYTES) {
            throw new FdSocketException(
                    Errno.ENAMETOOLONG,
                    "the path " + Printable.of(path.toString()) + " has " + bytes + " bytes; a socket's path has at"
                            + " most " + PATH_BYTES);
        }
        Path parent = path.getParent() == null ? Path.of(".") : path.getParent();
        int folder = syscalls.open(parent + "/.", O_PATH | Fcntl.O_CLOEXEC);
        if (folder < 0) {
            throw new FdSocketException(
                    -folder,
                    "the folder " + Printable.of(parent.toString()) + " of a socket cannot be opened: "
                            + Errno.of(-folder).meaning() + "; create the folder, or give another path");
        }
        return new SocketFile(syscalls, sockets, path, name, OwnedFd.of(folder, syscalls::close));
    }

    /**
     * Binds a socket to this name. A file of an abandoned socket with the name is removed before.
     *
     * @param socket a socket, which the caller keeps. After an exception, which can also occur after bind(2), the
     *     caller closes it and calls {@link #remove}
     * @return the result of bind(2): EADDRINUSE if another file has the name
     */
    int bind(OwnedFd socket) {
        owner = identityOf(socket.fd()).owner();
        int result = sockets.bind(socket.fd(), path.toString());
        if (result == -Errno.EADDRINUSE.number()) {
            try (FolderLock lock = lock()) {
                if (lock != null && removeAbandoned()) {
                    result = sockets.bind(socket.fd(), path.toString());
                }
            }
        }
        if (result >= 0) {
            try (OwnedFd file = named(name)) {
                own = identityOf(file.fd());
            }
        }
        return result;
    }

    /**
     * Permits other users to connect to the file that {@link #bind} made.
     *
     * @param group new group of the file, if any, which is set first
     * @param mode new mode of the file
     * @throws FdSocketException {@link Errno#EPERM} for a group that this user is not in, or any other error of the
     *     kernel
     */
    void permit(OptionalInt group, int mode) {
        try (OwnedFd file = named(name)) {
            if (own == null || !own.equals(identityOf(file.fd()))) {
                throw new FdSocketException(
                        Errno.EADDRINUSE, "the file " + this + " was replaced by another process; give another path");
            }
            Path opened = Path.of("/proc/self/fd/" + file.fd()); // refers to this file, even if the name does not
            if (group.isPresent()) {
                give(opened, group.getAsInt());
            }
            Files.setAttribute(opened, "unix:mode", mode);
        } catch (IOException e) {
            throw new FdSocketException(
                    Errno.EACCES,
                    "the mode of the socket's file " + this + " cannot be changed to 0" + Integer.toOctalString(mode)
                            + ": " + e.getMessage() + "; give a path on another file system",
                    e);
        }
    }

    private void give(Path opened, int group) {
        try {
            Files.setAttribute(opened, "unix:gid", group);
        } catch (IOException e) {
            throw new FdSocketException(
                    Errno.EPERM,
                    "the socket's file " + this + " cannot be given to group " + Integer.toUnsignedString(group)
                            + ": a user other than root gives files to its own groups only; add this user to the group",
                    e);
        }
    }

    /**
     * Removes the file that {@link #bind} made, after its socket was shut down. Another file stays. If another process
     * holds the lock of the folder, this file also stays, and the next listener replaces it.
     */
    void remove() {
        try (FolderLock lock = lock()) {
            if (lock != null && owner != null) {
                removeAbandoned();
            }
        } catch (FdSocketException e) {
            // The leftover file does no harm: the next listener replaces it.
        }
    }

    /** {@return whether the name is free now} */
    private boolean removeAbandoned() {
        int opened = syscalls.open(inFolder(name), O_PATH | O_NOFOLLOW | Fcntl.O_CLOEXEC);
        if (opened < 0) {
            return opened == -Errno.ENOENT.number();
        }
        // While the file is open, no other file gets its inode number.
        try (OwnedFd file = OwnedFd.of(opened, syscalls::close)) {
            Identity seen = identityOf(file.fd());
            boolean ours = seen.isSocket() && seen.owner().equals(owner) && (own == null || own.equals(seen));
            return ours && isFree(file) && removeIfStill(seen, file);
        }
    }

    private boolean removeIfStill(Identity seen, OwnedFd file) {
        String aside =
                ".dmaheap-" + Long.toHexString(RandomGenerator.getDefault().nextLong());
        if (sockets.rename(inFolder(name), inFolder(aside)) < 0) {
            return false;
        }
        boolean removed = false;
        try (OwnedFd moved = named(aside)) {
            // Checked again, because the file of bind(2) exists a moment before a socket can be found by it.
            if (identityOf(moved.fd()).equals(seen) && isFree(file)) {
                Files.deleteIfExists(Path.of(inFolder(aside)));
                removed = true;
            }
        } catch (IOException e) {
            return false;
        } finally {
            if (!removed) {
                putBack(aside);
            }
        }
        return removed;
    }

    private void putBack(String aside) {
        int result = sockets.rename(inFolder(aside), inFolder(name));
        if (result < 0) {
            throw new FdSocketException(
                    -result,
                    "the file " + Printable.of(path.toString()) + " changed while it was replaced, and the new file"
                            + " is now "
                            + Printable.of(path.resolveSibling(aside).toString()) + ": "
                            + Errno.of(-result).meaning() + "; rename it back");
        }
    }

    /**
     * Returns whether a file can be removed. The file that {@link #bind} made can be, after its socket was shut down. A
     * child process started at that moment also has the socket, until it executes its program.
     */
    private boolean isFree(OwnedFd file) {
        return own != null || isAbandoned(file);
    }

    /** Connects to the opened file itself, because the name could now refer to another file. */
    private boolean isAbandoned(OwnedFd file) {
        try (OwnedFd probe = OwnedFd.of(FdSocket.require("socket", sockets.datagramSocket(), ""), syscalls::close)) {
            return sockets.connect(probe.fd(), "/proc/self/fd/" + file.fd()) == -Errno.ECONNREFUSED.number();
        }
    }

    private OwnedFd named(String file) {
        int opened = syscalls.open(inFolder(file), O_PATH | O_NOFOLLOW | Fcntl.O_CLOEXEC);
        if (opened < 0) {
            throw KernelError.of("", "open of the socket's file " + Printable.of(path.toString()), opened);
        }
        return OwnedFd.of(opened, syscalls::close);
    }

    private static Identity identityOf(int fd) {
        try {
            Map<String, Object> file = Files.readAttributes(Path.of("/proc/self/fd/" + fd), "unix:dev,ino,uid,mode");
            return new Identity(
                    file.get("dev"), file.get("ino"), file.get("uid"), ((int) file.get("mode") & S_IFMT) == S_IFSOCK);
        } catch (IOException e) {
            throw new FdSocketException(Errno.EIO, "/proc/self/fd/" + fd + " cannot be read: is /proc mounted?", e);
        }
    }

    /**
     * Lock of a folder. Threads of this process take turns before they try it, because the kernel's lock has no queue
     * for non-blocking callers.
     */
    private record FolderLock(OwnedFd folder) implements AutoCloseable {
        private static final Semaphore TURN = new Semaphore(1, true);

        @Override
        public void close() {
            try {
                folder.close();
            } finally {
                TURN.release();
            }
        }
    }

    /** {@return the lock, or null if another process holds it or the folder cannot be read} */
    private FolderLock lock() {
        FolderLock.TURN.acquireUninterruptibly();
        FolderLock lock = null;
        try {
            OwnedFd locked = lockedFolder();
            lock = locked == null ? null : new FolderLock(locked);
            return lock;
        } finally {
            if (lock == null) {
                FolderLock.TURN.release();
            }
        }
    }

    private OwnedFd lockedFolder() {
        int opened = syscalls.open(inFolder("."), Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
        if (opened < 0) {
            return null;
        }
        OwnedFd lock = OwnedFd.of(opened, syscalls::close);
        boolean locked = false;
        try {
            long deadline = System.nanoTime() + LOCK_PATIENCE_MILLIS * 1_000_000;
            do {
                locked = sockets.lock(lock.fd()) == 0;
            } while (!locked && System.nanoTime() < deadline && paused());
        } finally {
            if (!locked) {
                lock.close();
            }
        }
        return locked ? lock : null;
    }

    private static boolean paused() {
        try {
            Thread.sleep(LOCK_PAUSE_MILLIS);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private String inFolder(String file) {
        return "/proc/self/fd/" + folder.fd() + "/" + file;
    }

    /** {@return the path, unchanged} */
    Path path() {
        return path;
    }

    /** {@return the path, printable} */
    @Override
    public String toString() {
        return Printable.of(path.toString());
    }

    @Override
    public void close() {
        folder.close();
    }
}
