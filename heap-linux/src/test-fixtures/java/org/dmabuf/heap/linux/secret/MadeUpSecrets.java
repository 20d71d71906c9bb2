// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.machine.MlockLimit;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.syscall.Wrapping;

/** Secret memory by calls and within a limit of a test's choice. */
public final class MadeUpSecrets {
    private final SecretCalls calls;

    public MadeUpSecrets(Wrapping wrapping) {
        calls = wrapping.wrap(SecretCalls.class, SecretCalls.linux());
    }

    /** {@return a source that may map its buffers, to be closed} */
    public SecretSource open(String heap, Syscalls syscalls, Headroom headroom, MlockLimit limit) {
        return SecretSource.open(heap, syscalls, calls, headroom, limit, true);
    }

    /** {@return a source on the running kernel with a limit that is not its own, to be closed} */
    public static SecretSource open(Syscalls syscalls, MlockLimit limit) {
        return SecretSource.open("secure", syscalls, SecretCalls.linux(), Headroom.machine(), limit, true);
    }

    /** memfd_secret(2) of the running kernel. */
    public static int memfdSecret(int flags) {
        return SecretCalls.linux().memfdSecret(flags);
    }

    /** ftruncate(2) of the running kernel. */
    public static int ftruncate(int fd, long size) {
        return SecretCalls.linux().ftruncate(fd, size);
    }
}
