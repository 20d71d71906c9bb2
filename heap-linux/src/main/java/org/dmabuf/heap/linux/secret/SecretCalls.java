// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import org.dmabuf.heap.linux.syscall.Syscalls;

/**
 * System calls of secret memory, as the kernel gives them: a result of 0 or more, or the negative error number. Apart
 * from {@link Syscalls}, because no other memory needs them. Descriptors are closed, mapped and read through
 * {@link Syscalls}.
 */
interface SecretCalls {
    /** {@return the calls of the running kernel} */
    static SecretCalls linux() {
        return LinuxSecretCalls.INSTANCE;
    }

    /**
     * memfd_secret(2): a file whose pages are in no address space but those that map it, the kernel's own left out.
     *
     * @param flags O_CLOEXEC or 0
     * @return a descriptor or a negative error number
     */
    int memfdSecret(int flags);

    /**
     * ftruncate(2). The first size of secret memory is its last.
     *
     * @param fd descriptor
     * @param size bytes
     * @return 0 or a negative error number
     */
    int ftruncate(int fd, long size);
}
