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
     * <p>The call blocks while the kernel provides the pages. On a shortage the heaps are asked to give back what they
     * keep for speed. Memory that the client itself has closed is waited for; for memory of other holders the call
     * waits as long as {@link AllocationRequest#withTimeout} permits.
     *
     * <p>An interrupt ends the call with {@link Errno#EINTR}, also one from before the call. Nothing is held then, and
     * the thread stays interrupted. A buffer that a heap's code returns after the interrupt is released.
     *
     * @param request how much, from where, for what
     * @return a buffer that the caller closes
     * @throws HeapShortageException when every heap that meets the request is short, or a quota is full
     * @throws HeapRefusedException when no heap meets the request, or a rule is against it
     * @throws HeapException when no heap gave a buffer; {@link HeapException#attempts()} lists every heap looked at
     */
    DmaBuf allocate(AllocationRequest request);

    /**
     * Allocates several buffers of the same kind, as the queue of a camera needs them: all from one heap, or none. A
     * heap that cannot give all makes way for the next.
     *
     * @param request how much each, from where, for what
     * @param count how many, 1 to {@value #MOST_AT_ONCE}
     * @return as many buffers, each of which the caller closes
     * @throws IllegalArgumentException for another count
     * @throws HeapException as {@link #allocate(AllocationRequest)}, with nothing held
     */
    List<DmaBuf> allocate(AllocationRequest request, int count);

    /**
     * Takes over memory that another process made, as a buffer like any other. It is charged in full to the calling
     * client, whatever other process holds it, and counted as heap {@code adopted}.
     *
     * <p>A memfd must be sealed against shrinking (F_SEAL_SHRINK) and against writing (F_SEAL_FUTURE_WRITE or
     * F_SEAL_WRITE), after its sender wrote to every page: it is mapped for reading only. With the broker's setting
     * {@code adopt.unsealed} the seal against shrinking is enough. A descriptor of anything else is refused without a
     * call that its file system could keep waiting.
     *
     * @param descriptor a dma-buf or such a memfd; the buffer's when the call returns, the caller's when it throws
     * @param name for people, as {@link AllocationRequest#withName}
     * @return a buffer that the caller closes; it can be mapped as the descriptor and its seals allow
     * @throws IllegalArgumentException for a name that {@link AllocationRequest#withName} refuses
     * @throws HeapException {@link Errno#EPERM} for memory that its maker could take away under a mapping or that has
     *     holes, {@link Errno#EBADFD} for a descriptor of something else, {@link Errno#EACCES} for one that cannot be
     *     read, {@link Errno#EINVAL} for one without bytes, {@link Errno#ENOMEM} for more than the machine or a quota
     *     has
     * @throws IllegalStateException when the client has stopped; if it stops during the call the descriptor is closed
     */
    DmaBuf adopt(OwnedFd descriptor, String name);

    /**
     * Takes ownership of a plain descriptor number, such as one from a native library, to send or to {@link #adopt} it.
     *
     * @param descriptor an open descriptor that no other code closes
     * @return its owner, which the caller closes; the broker does not close it when the client stops
     * @throws IllegalArgumentException for a negative number
     */
    OwnedFd own(int descriptor);

    /**
     * Lists every heap that is known, in the order in which a request without names would ask them: those that serve,
     * then those that do not, with the reason. A snapshot; it does not change. Adopted memory belongs to no heap, see
     * {@link HeapMonitor#usageByHeap}.
     *
     * @return heaps serving, waiting, failed to start, refused, shadowed by another of the same name, draining, and
     *     departed ones of which buffers are left
     */
    List<HeapInfo> heaps();

    /**
     * Registers a buffer as an OSGi service of type {@link PublishedBuffer}, for bundles that wait for it by name. They
     * open references that permit reading.
     *
     * @param buffer a buffer of this broker; it stays the caller's and may be closed at once
     * @param name value of {@code dmabuf.name}
     * @return a publication, to be closed to unregister it; the service also goes when the calling client stops
     * @throws IllegalArgumentException for a buffer that is not of this broker, or a blank name
     */
    default Publication publish(DmaBuf buffer, String name) {
        return publish(buffer, name, Access.READ);
    }

    /**
     * As {@link #publish(DmaBuf, String)}, with what the other bundles may do.
     *
     * @param buffer a buffer of this broker; it stays the caller's and may be closed at once
     * @param name value of {@code dmabuf.name}
     * @param granted {@link Access#READ} or {@link Access#READ_WRITE}
     * @return a publication, to be closed to unregister it
     * @throws IllegalArgumentException for a buffer that is not of this broker, a blank name, or to grant WRITE
     * @throws HeapException {@link Errno#EACCES} to grant more than the buffer's reference permits
     */
    Publication publish(DmaBuf buffer, String name, Access granted);

    /**
     * Opens the broker for a client outside the framework, for instance one that a service bundle serves over a socket.
     * What is allocated through the view is charged to that client, and the quotas and permissions for it apply.
     *
     * <p>The broker's setting {@code views.allow} names the clients that may do so; without it, no client may. In a
     * view, its own client has to be named.
     *
     * @param client an identity of any kind but {@link ClientId#BUNDLE}
     * @return a view, which the caller closes to take everything back that is open through it
     * @throws IllegalArgumentException for the identity of a bundle
     * @throws HeapRefusedException {@link Errno#EACCES} for a client that the setting does not name
     */
    ClientView openView(ClientId client);

    /** The most buffers that one call allocates. */
    int MOST_AT_ONCE = 1024;
}
