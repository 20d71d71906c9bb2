// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.machine.MlockLimit;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.syscall.Wrapping;

/** Secret memory with calls and a limit that a test chooses. */
public final class MadeUpSecrets {
    private final SecretCalls calls;

    public MadeUpSecrets(Wrapping wrapping) {
        calls = wrapping.wrap(SecretCalls.class, SecretCalls.linux());
    }

    /** {@return a source that may map its buffers, which the caller closes} */
    public SecretSource open(String heap, Syscalls syscalls, Headroom headroom, MlockLimit limit) {
        return SecretSource.open(heap, syscalls, calls, headroom, limit, true);
    }

    /** {@return a source on the running kernel with another limit, which the caller closes} */
    public static SecretSource open(Syscalls syscalls, MlockLimit limit) {
        return SecretSource.open("secure", syscalls, SecretCalls.linux(), Headroom.machine(), limit, true);
    }

    /** memfd_secret(2) of the running kernel. */
    public static int memfdSecret(int flags) {
        return SecretCalls.linux().memfdSecret(flags);
    }
}
