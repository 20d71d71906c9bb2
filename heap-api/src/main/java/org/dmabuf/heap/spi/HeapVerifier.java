// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.List;
import java.util.Optional;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Verifier of the heaps of a running framework. The test kit heap-tck registers one as a service, and the command
 * {@code dmaheap:verify} runs its checks.
 *
 * <p>The checks call the heap's service without a broker, so its memory is charged to no client. They stay within a
 * quarter of the heap's free memory. They leave no memory, descriptor or thread, but the heap's pools are empty after
 * each check. Other clients may use the heap meanwhile. One thread at a time may run checks.
 */
@ProviderType
public interface HeapVerifier {
    /** One requirement for a heap. */
    @ProviderType
    interface Check {
        /** {@return a sentence with underscores instead of blanks, unique among the checks of one heap} */
        String name();

        /** {@return why the check does not apply to the heap; empty for a check that can run} */
        Optional<String> skipReason();

        /**
         * Runs the check, for at most five minutes: a heap that hangs fails it. An interrupt of the calling thread ends
         * it as well. The result is then a failure, and the thread stays interrupted.
         *
         * @return how the heap breaks the requirement, as a sentence; empty if the heap meets it
         * @throws IllegalStateException for a check that is skipped
         */
        Optional<String> failure();
    }

    /**
     * Returns the checks of a heap. If the heap reports a capacity, some small buffers are allocated and released, to
     * measure how much of the capacity one takes.
     *
     * @param heap name of a registered heap; of several with the same name, the first one
     * @param dynamics whether to run the checks that stop, start and update the heap's bundle, during which clients
     *     cannot allocate from its heaps; if false, these checks are skipped
     * @return all checks, in order, including those that are skipped
     * @throws org.dmabuf.heap.HeapException {@link org.dmabuf.heap.Errno#ENODEV} when no heap of this name is
     *     registered; {@link org.dmabuf.heap.Errno#EIO} when the heap does not return its usage and a small buffer
     *     within a minute; {@link org.dmabuf.heap.Errno#EINTR} after an interrupt
     */
    List<Check> checks(String heap, boolean dynamics);
}
