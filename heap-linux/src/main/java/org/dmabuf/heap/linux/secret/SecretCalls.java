// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * System calls for secret memory, with the kernel's results: 0 or more, or a negative error number. They are separate
 * from {@link Syscalls}, because other memory does not need them. All other calls are made through {@link Syscalls}.
 */
interface SecretCalls {
    /** {@return the calls of the running kernel} */
    static SecretCalls linux() {
        return LinuxSecretCalls.INSTANCE;
    }

    /**
     * memfd_secret(2): makes a file whose pages are only in the address spaces that map it, and not in the kernel's
     * own.
     *
     * @param flags O_CLOEXEC or 0
     * @return a descriptor or a negative error number
     */
    int memfdSecret(int flags);
}
