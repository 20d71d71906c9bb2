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
 * File of a Unix socket, by its name in an open folder: a folder that is renamed or replaced meanwhile does not
 * lead elsewhere. Removes a file only when it is a socket of this user on which no process listens.
 *
 * <p>The kernel cannot remove a file on the condition that it is still the one that was looked at. A file is therefore
 * renamed to a random name in the same folder first, looked at again, and removed only then. A file that took the
 * place of the first one in between is renamed back, and never over another. What remains: for that moment such a file
 * is not found under its name. Processes that use this class keep each other out by a lock (flock) of the folder.
 *
 * <p>One thread at a time uses an object.
 */
final class SocketFile implements AutoCloseable {
    /** The longest path of a socket. */
    static final int PATH_BYTES = 107;

    private static final int O_PATH = 0x200000;
    /** arm64 has a number of its own, unlike x86-64 and riscv64. */
    private static final int O_NOFOLLOW = System.getProperty("os.arch").equals("aarch64") ? 0x8000 : 0x20000;

    private static final int S_IFMT = 0xF000;
    private static final int S_IFSOCK = 0xC000;

    private static final long LOCK_PATIENCE_MILLIS = 1000;
    private static final long LOCK_PAUSE_MILLIS = 5;

    /** Identity of a file as long as it exists, and whether it is a socket. */
    private record Identity(Object device, Object inode, Object owner, boolean isSocket) {}

    private final Syscalls syscalls;
    private final SocketCalls sockets;
    private final Path path;
    private final String name;
    private final OwnedFd folder;
    /** Of the file that {@link #bind} made. */
    private Identity own;
    /** User that owns such a file. */
    private Object owner;

    private SocketFile(Syscalls syscalls, SocketCalls sockets, Path path, String name, OwnedFd folder) {
        this.syscalls = syscalls;
        this.sockets = sockets;
        this.path = path;
        this.name = name;
        this.folder = folder;
    }

    /**
     * Opens the folder of a path; there need be no such file.
     *
     * @param path at most {@value #PATH_BYTES} bytes
     * @return closed by the caller
     * @throws FdSocketException {@link Errno#EINVAL} for a path without a file's name, {@link Errno#ENAMETOOLONG}, or
     *     the kernel's refusal of the folder
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
                            + Errno.of(-folder).meaning() + "; make the folder, or give another path");
        }
        return new SocketFile(syscalls, sockets, path, name, OwnedFd.of(folder, syscalls::close));
    }

    /**
     * Gives a socket this name. A file of the name that an abandoned socket left is removed before.
     *
     * @param socket stays the caller's; after an exception, which can follow bind(2), the caller closes it and calls
     *     {@link #remove}
     * @return bind(2)'s result: EADDRINUSE when any other file has the name
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
     * Lets more processes connect to the file that {@link #bind} made.
     *
     * @param group that the file gets first, if any
     * @param mode of the file
     * @throws FdSocketException {@link Errno#EPERM} for a group that this user is not in, or the kernel's refusal
     */
    void permit(OptionalInt group, int mode) {
        try (OwnedFd file = named(name)) {
            if (own == null || !own.equals(identityOf(file.fd()))) {
                throw new FdSocketException(
                        Errno.EADDRINUSE, "the file " + this + " was replaced by another process; give another path");
            }
            Path opened = Path.of("/proc/self/fd/" + file.fd()); // leads to this very file
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
     * Removes the file that {@link #bind} made, after its socket was shut down. Any other file stays. So does this
     * one when another process keeps the lock of the folder; the next listener replaces it.
     */
    void remove() {
        try (FolderLock lock = lock()) {
            if (lock != null && owner != null) {
                removeAbandoned();
            }
        } catch (FdSocketException e) {
            // The file is useless without its listener, and the next listener replaces it.
        }
    }

    /** {@return whether no file has the name any more} */
    private boolean removeAbandoned() {
        int opened = syscalls.open(inFolder(name), O_PATH | O_NOFOLLOW | Fcntl.O_CLOEXEC);
        if (opened < 0) {
            return opened == -Errno.ENOENT.number();
        }
        // While it is open no other file gets the number of its inode.
        try (OwnedFd file = OwnedFd.of(opened, syscalls::close)) {
            Identity seen = identityOf(file.fd());
            boolean ours = seen.isSocket() && seen.owner().equals(owner) && (own == null || own.equals(seen));
            return ours && isFree(file) && removeIfStill(seen, file);
        }
    }

    private boolean removeIfStill(Identity seen, OwnedFd file) {
        String aside = ".dmaheap-" + Long.toHexString(RandomGenerator.getDefault().nextLong());
        if (sockets.rename(inFolder(name), inFolder(aside)) < 0) {
            return false;
        }
        boolean removed = false;
        try (OwnedFd moved = named(aside)) {
            // Asked again, because bind(2) shows its file a moment before the socket can be found by it.
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
                    "the file " + Printable.of(path.toString()) + " changed while it was replaced, and what was there"
                            + " is now " + Printable.of(path.resolveSibling(aside).toString()) + ": "
                            + Errno.of(-result).meaning() + "; rename it back");
        }
    }

    /**
     * The file that {@link #bind} made is free once its socket was shut down. A process that this one starts at that
     * moment has the socket too, until it executes its program.
     */
    private boolean isFree(OwnedFd file) {
        return own != null || isAbandoned(file);
    }

    /** Connecting to the very file that was opened: a name could lead to another by now. */
    private boolean isAbandoned(OwnedFd file) {
        try (OwnedFd probe = OwnedFd.of(FdSocket.require("socket", sockets.probe(), ""), syscalls::close)) {
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
            Map<String, Object> file =
                    Files.readAttributes(Path.of("/proc/self/fd/" + fd), "unix:dev,ino,uid,mode");
            return new Identity(
                    file.get("dev"),
                    file.get("ino"),
                    file.get("uid"),
                    ((int) file.get("mode") & S_IFMT) == S_IFSOCK);
        } catch (IOException e) {
            throw new FdSocketException(Errno.EIO, "/proc/self/fd/" + fd + " cannot be read: is /proc mounted?", e);
        }
    }

    /**
     * The lock of a folder. Threads of this process take turns before they ask for it: the kernel's lock has no queue
     * for callers that do not wait in it.
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

    /** {@return the lock, or null when another process keeps it or the folder cannot be read} */
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

    /** {@return the path as it was given} */
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
