// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

/**
 * The system calls of secret memory, as the kernel gives them: a result of 0 or more, or the negative error number.
 * Apart from {@link Syscalls}, because no other memory needs them. Descriptors are closed and mapped through
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

    /**
     * read(2). A page that the kernel cannot find for the target ends the call, where an access would raise a signal.
     *
     * @param fd descriptor
     * @param address where to put what was read
     * @param length bytes
     * @return bytes read or a negative error number
     */
    long read(int fd, long address, long length);
}
