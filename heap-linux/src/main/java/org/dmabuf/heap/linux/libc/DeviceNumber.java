// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.libc;

/** Device number in the form of {@code st_dev}, as makedev(3) of the C library composes it. */
public final class DeviceNumber {
    private DeviceNumber() {}

    /** {@return the number of both parts, which the kernel reports apart} */
    public static long of(long major, long minor) {
        return (major & 0xFFFFF000L) << 32 | (major & 0xFFF) << 8 | (minor & 0xFFFFFF00L) << 12 | minor & 0xFF;
    }
}
