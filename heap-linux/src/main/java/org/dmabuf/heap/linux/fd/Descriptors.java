// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fd;

import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Operations on any descriptor, whether this process made it or received it. */
public final class Descriptors {
    private final Syscalls syscalls;

    /**
     * Makes an object that uses the given system calls.
     *
     * @param syscalls the kernel
     */
    public Descriptors(Syscalls syscalls) {
        this.syscalls = syscalls;
    }

    /**
     * Makes a second descriptor of the same open file, close-on-exec.
     *
     * @param heap named in a refusal
     * @param fd a descriptor, which the caller keeps
     * @return the new descriptor, which the caller owns
     * @throws HeapException {@link org.dmabuf.heap.Errno#EMFILE} when the process has reached its limit of descriptors
     */
    public OwnedFd duplicate(String heap, int fd) {
        OwnedFd made = OwnedFd.awaiting(syscalls::close, Optional.empty());
        duplicate(heap, fd, made);
        return made;
    }

    /**
     * Makes a second descriptor of the same open file, close-on-exec.
     *
     * @param heap named in a refusal
     * @param fd a descriptor, which the caller keeps
     * @param owner receives the new descriptor
     * @throws HeapException {@link org.dmabuf.heap.Errno#EMFILE} when the process has reached its limit of descriptors
     */
    public void duplicate(String heap, int fd, OwnedFd owner) {
        int copy = syscalls.fcntl(fd, Fcntl.F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            throw KernelError.of(heap, "fcntl(F_DUPFD_CLOEXEC)", copy);
        }
        owner.own(copy);
    }

    /**
     * Closes a descriptor.
     *
     * @param fd a number that no other code closes or uses
     */
    public void close(int fd) {
        syscalls.close(fd);
    }

    /**
     * Reads the inode number of an open file.
     *
     * @param heap named in a refusal
     * @param fd a descriptor, which the caller keeps
     * @return the file's inode number
     * @throws HeapException {@link org.dmabuf.heap.Errno#EBADF} for a number that is not an open descriptor
     */
    public long inode(String heap, int fd) {
        long inode = syscalls.inode(fd);
        if (inode < 0) {
            throw KernelError.of(heap, "statx", (int) inode);
        }
        return inode;
    }

    /**
     * Reads the device number of the file system of an open file. With the inode number it identifies the file on this
     * machine.
     *
     * @param fd a descriptor, which the caller keeps
     * @return {@code st_dev}; empty if the kernel does not report it
     */
    public OptionalLong fileSystem(int fd) {
        long number = syscalls.device(fd);
        return number < 0 ? OptionalLong.empty() : OptionalLong.of(number);
    }
}
