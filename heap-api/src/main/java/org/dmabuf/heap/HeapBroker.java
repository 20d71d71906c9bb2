// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Broker of buffers from all heaps that are installed. Get it as an OSGi service: each bundle has its own view. So the
 * broker knows the client of each call, and takes back what a bundle still holds when it has stopped.
 *
 * <p>Any thread may call any method. Once the bundle that the service was given to has stopped, every method throws
 * {@link IllegalStateException}.
 */
@ProviderType
public interface HeapBroker {
    /**
     * Allocates one buffer, zeroed. The heaps that the request names are asked in order; one that does not meet the
     * request is skipped, one that answers {@link Errno#ENOMEM} or {@link Errno#ENODEV} or is leaving makes way for the
     * next, any other refusal ends the request.
     *
     * @param request how much, from where, for what
     * @return a buffer that the caller closes
     * @throws HeapException when no heap gave one; {@link HeapException#attempts()} lists every heap looked at
     */
    DmaBuf allocate(AllocationRequest request);

    /**
     * Takes over memory that another process made, as a buffer like any other. It is charged in full to the calling
     * bundle, whatever other process holds it, and listed as heap {@code adopted}.
     *
     * <p>A memfd must be sealed against shrinking (F_SEAL_SHRINK) and against writing (F_SEAL_FUTURE_WRITE or
     * F_SEAL_WRITE), after its sender wrote to every page: it is mapped for reading only. With the broker's setting
     * {@code adopt.unsealed} the seal against shrinking is enough. A descriptor of anything else is refused without a
     * call that its file system could keep waiting.
     *
     * @param descriptor a dma-buf or such a memfd; the buffer's when the call returns, the caller's when it throws
     * @param name for people, as {@link AllocationRequest#name}
     * @return a buffer that the caller closes; it can be mapped as the descriptor and its seals allow
     * @throws HeapException {@link Errno#EPERM} for memory that its maker could take away under a mapping or that has
     *     holes, {@link Errno#EBADFD} for a descriptor of something else, {@link Errno#EACCES} for one that cannot be
     *     read, {@link Errno#EINVAL} for one without bytes, {@link Errno#ENOMEM} for more than the machine or a quota
     *     has
     * @throws IllegalStateException when the calling bundle has stopped; if it stops during the call the descriptor is
     *     closed
     */
    DmaBuf adopt(OwnedFd descriptor, String name);

    /**
     * Lists every heap that is known, in the order in which a request without names would ask them: those that serve,
     * then those that do not, with the reason. A snapshot; it does not change.
     *
     * @return heaps serving, refused, shadowed by another of the same name, draining, and departed ones of which
     *     buffers are left; last, what was adopted and is still held
     */
    List<HeapInfo> heaps();

    /**
     * Registers a buffer as an OSGi service of type {@link DmaBuf}, with the properties {@code dmabuf.name},
     * {@code dmabuf.size} and {@code heap.name}, for bundles that wait for it by name. Each bundle that gets the
     * service holds a reference of its own until it ungets it; {@link DmaBuf#close()} on that service does nothing.
     *
     * @param buffer a buffer of this broker; it stays the caller's and may be closed at once
     * @param name value of {@code dmabuf.name}, not empty
     * @return a publication, to be closed to unregister it; the service also goes when the calling bundle stops
     * @throws HeapException {@link Errno#EINVAL} for a buffer that is not of this broker, or an empty name
     */
    Publication publish(DmaBuf buffer, String name);
}
