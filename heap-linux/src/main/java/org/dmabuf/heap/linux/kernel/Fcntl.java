// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

/** Flags of open(2), and commands of fcntl(2) for any file. */
public final class Fcntl {
    public static final int O_RDONLY = 0x0;
    public static final int O_WRONLY = 0x1;
    public static final int O_RDWR = 0x2;
    public static final int O_ACCMODE = 0x3;
    static final int O_NOCTTY = 0x100;
    public static final int O_NONBLOCK = 0x800;
    public static final int O_CLOEXEC = 0x80000;

    public static final int F_GETFL = 3;
    public static final int F_DUPFD_CLOEXEC = 1030;

    private Fcntl() {}
}
