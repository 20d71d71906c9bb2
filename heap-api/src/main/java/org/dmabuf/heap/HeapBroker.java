// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import org.dmabuf.heap.constraint.Demand;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Broker that allocates buffers from all installed heaps. It is an OSGi service; each bundle gets its own instance. The
 * broker therefore knows the client of each call, and closes every resource that a stopped bundle has left open.
 *
 * <p>Any thread may call any method. After the bundle that got the service has stopped, every method throws
 * {@link IllegalStateException}.
 */
@ProviderType
public interface HeapBroker {
    /**
     * Allocates one zeroed buffer. The broker asks the heaps in the order of the request and skips a heap that does not
     * meet it. A heap that fails with {@link Errno#ENOMEM} or {@link Errno#ENODEV}, or that is leaving, is followed by
     * the next one. Any other failure ends the request.
     *
     * <p>The call blocks while the kernel provides the pages. On a shortage the broker asks the heaps to release pooled
     * memory, and waits for memory that the client itself has closed. For memory of other holders the call waits as
     * long as {@link AllocationRequest#withTimeout} permits.
     *
     * <p>An interrupt of the thread, even before the call, ends the call with {@link Errno#EINTR}. Nothing is held
     * then, and the thread stays interrupted. A buffer that a heap returns after the interrupt is released.
     *
     * @param request the size, the heaps and the required properties
     * @return a buffer that the caller closes
     * @throws HeapShortageException when every heap that meets the request is short, or a quota is full
     * @throws HeapRefusedException when no heap meets the request, or a rule forbids it
     * @throws HeapException when no heap returned a buffer; {@link HeapException#attempts()} lists every heap that was
     *     considered
     */
    DmaBuf allocate(AllocationRequest request);

    /**
     * Allocates several equal buffers, for instance for the queue of a camera: all from one heap, or none. When a heap
     * cannot provide all of them, the next heap is asked.
     *
     * @param request the size of each buffer, the heaps and the required properties
     * @param count number of buffers, 1 to {@value #MOST_AT_ONCE}
     * @return {@code count} buffers; the caller closes each
     * @throws IllegalArgumentException for another count
     * @throws HeapException as {@link #allocate(AllocationRequest)}, with nothing held
     */
    List<DmaBuf> allocate(AllocationRequest request, int count);

    /**
     * Decides which heaps can serve all devices and demands of a request. The broker asks its sources for the demands
     * of the devices once, here; the plan's allocations ask no source. {@link #allocate(AllocationRequest)} with
     * devices or demands uses such a plan as well, and keeps it for equal requests of the next 10 s.
     *
     * @param request the size, the devices, the demands, and the terms that every request has
     * @return a plan for this client
     * @throws HeapRefusedException when no heap meets all demands, with {@link HeapException#conflict()}; when no
     *     source knows one of the devices; or when no heap meets the other terms of the request
     * @throws HeapException of a source that cannot read a device, with the kernel's error; {@link Errno#EIO} when the
     *     code of a source fails
     */
    AllocationPlan plan(AllocationRequest request);

    /**
     * Asks the sources for the demands of one device, as {@link #plan} does. A demand of a kind that a serving heap
     * declares has that kind.
     *
     * @param device path of a device file
     * @return the demands of the device; empty if no source knows it
     * @throws IllegalArgumentException for a name with blanks or control characters, and for an empty name
     * @throws HeapException when a source fails
     */
    List<Demand> demandsOf(String device);

    /**
     * Adopts memory that another process made. The result is a buffer like any other. It is charged in full to the
     * calling client, even if other processes hold it too, and is counted under the heap {@code adopted}.
     *
     * <p>A memfd must be sealed against shrinking (F_SEAL_SHRINK) and against writing (F_SEAL_FUTURE_WRITE or
     * F_SEAL_WRITE), after its sender has written every page. It is mapped for reading only. With the broker's setting
     * {@code adopt.unsealed} the seal against shrinking is enough. A descriptor of any other file is refused, without a
     * call that could block in its file system.
     *
     * @param descriptor a dma-buf or such a memfd; the buffer owns it after the call returns, the caller after an
     *     exception
     * @param name name of the buffer in listings, as {@link AllocationRequest#withName}
     * @return a buffer that the caller closes; its mappings permit the access that the descriptor and its seals permit
     * @throws IllegalArgumentException for a name that {@link AllocationRequest#withName} refuses
     * @throws HeapException {@link Errno#EPERM} for memory with holes, or that its maker could remove under a mapping;
     *     {@link Errno#EBADFD} for a descriptor of another file; {@link Errno#EACCES} for a descriptor that cannot be
     *     read; {@link Errno#EINVAL} for an empty file; {@link Errno#ENOMEM} for more memory than the machine or a
     *     quota has
     * @throws IllegalStateException when the client has stopped; if it stops during the call, the descriptor is closed
     */
    DmaBuf adopt(OwnedFd descriptor, String name);

    /**
     * Takes ownership of a descriptor number, for instance from a native library, so that the caller can send or
     * {@link #adopt} it.
     *
     * @param descriptor an open descriptor that no other code closes
     * @return the owner, which the caller closes; the broker does not close it when the client stops
     * @throws IllegalArgumentException for a negative number
     */
    OwnedFd own(int descriptor);

    /**
     * Lists all known heaps in the order in which a request without names would ask them. Heaps that serve come first,
     * then the others with their reasons. The list is a snapshot. Adopted memory belongs to no heap, see
     * {@link HeapMonitor#usageByHeap}.
     *
     * @return heaps of every {@link HeapState}; a departed heap is listed while buffers of it exist
     */
    List<HeapInfo> heaps();

    /**
     * Registers a buffer as an OSGi service of type {@link PublishedBuffer}. Other bundles find it by name and open
     * references that permit reading.
     *
     * @param buffer a buffer of this broker; it stays the caller's and may be closed at once
     * @param name value of {@code dmabuf.name}
     * @return a publication, whose close unregisters the service; the broker also unregisters it when the calling
     *     client stops
     * @throws IllegalArgumentException for a buffer that is not of this broker, or a blank name
     */
    default Publication publish(DmaBuf buffer, String name) {
        return publish(buffer, name, Access.READ);
    }

    /**
     * As {@link #publish(DmaBuf, String)}, with the access that other bundles get.
     *
     * @param buffer a buffer of this broker; it stays the caller's and may be closed at once
     * @param name value of {@code dmabuf.name}
     * @param granted {@link Access#READ} or {@link Access#READ_WRITE}
     * @return a publication, whose close unregisters the service
     * @throws IllegalArgumentException for a buffer that is not of this broker, a blank name, or the access WRITE
     * @throws HeapException {@link Errno#EACCES} when {@code granted} exceeds the access of the buffer's reference
     */
    Publication publish(DmaBuf buffer, String name, Access granted);

    /**
     * Opens a view of the broker for a client outside the framework, for instance a process that the calling bundle
     * serves over a socket. Buffers allocated through the view are charged to that client, and its quotas and
     * permissions apply.
     *
     * <p>The broker's setting {@code views.allow} names the clients that may open views; without an entry, a client may
     * not. A call through a view needs an entry for the client of that view.
     *
     * @param client an identity of any kind but {@link ClientId#BUNDLE}
     * @return a view, whose close also closes everything that was opened through it
     * @throws IllegalArgumentException for the identity of a bundle
     * @throws HeapRefusedException {@link Errno#EACCES} for a client that the setting does not name
     */
    default ClientView openView(ClientId client) {
        return openView(client, "");
    }

    /**
     * As {@link #openView(ClientId)}, with the origin of the client, which listings show for each buffer.
     *
     * @param client an identity of any kind but {@link ClientId#BUNDLE}
     * @param origin value of {@link BufferRecord#origin}, such as a process and its container; any text, empty if it is
     *     unknown
     * @return a view, whose close also closes everything that was opened through it
     * @throws IllegalArgumentException for the identity of a bundle
     * @throws HeapRefusedException {@link Errno#EACCES} for a client that the setting {@code views.allow} does not name
     */
    ClientView openView(ClientId client, String origin);

    /** Largest number of buffers that one call allocates. */
    int MOST_AT_ONCE = 1024;
}
