// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Reference to shareable memory. This process keeps the memory until the last reference is closed and the arena of the
 * last mapping has ended. Another process keeps the memory as long as it holds a descriptor or mapping.
 *
 * <p>Any thread may call any method. After {@link #close()} every method throws {@link IllegalStateException}, except
 * {@link #close()} itself and the accessors of plain values.
 */
@ProviderType
public interface DmaBuf extends AutoCloseable {
    /**
     * {@return the size in bytes: at least the requested size, rounded up as the heap needs, commonly to whole pages}
     */
    long size();

    /** {@return {@code heap.name} of the heap that made the buffer; the heap may have left since} */
    String heapName();

    /** {@return the heap's service properties as they were at allocation, see {@link HeapProperties}} */
    Map<String, Object> heapProperties();

    /** {@return the name given at allocation} */
    Optional<String> name();

    /**
     * Returns the kernel's inode number of the memory's file. It identifies the memory in {@code /proc} and in other
     * processes.
     *
     * @return empty for a buffer that was allocated without a descriptor
     */
    OptionalLong inode();

    /**
     * Maps the whole buffer, as {@link java.nio.channels.FileChannel#map} does. The segment is valid, and the memory is
     * held, until the arena ends, even if this reference is closed before. A thread of the broker releases the pages
     * soon after the arena has ended.
     *
     * @param access {@link Access#READ} returns a read-only segment; WRITE and READ_WRITE return a segment for reading
     *     and writing
     * @param arena confined, shared or automatic
     * @return a segment of {@link #size()} bytes
     * @throws HeapException {@link Errno#EINVAL} for the global arena, which never ends, or memory that the CPU may not
     *     map; {@link Errno#EACCES} for writing through a reference for reading; {@link Errno#ENOMEM} when the process
     *     has no space for another mapping
     * @throws IllegalStateException when the arena is closed
     * @throws WrongThreadException when the arena is confined to another thread
     */
    MemorySegment map(Access access, Arena arena);

    /**
     * Begins a CPU access. For reading, the call waits for devices that write the buffer; for writing, for devices that
     * use it. Then it makes the CPU caches and the memory coherent. It does not exclude other CPU accesses and needs no
     * mapping. The wait for a hanging device has no limit, and an interrupt of the thread does not end it.
     * {@link #beginCpuAccess(Access, Duration)} has a limit.
     *
     * <pre>{@code
     * try (CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
     *     segment.copyFrom(frame);
     * }
     * }</pre>
     *
     * @param access the direction of the accesses that follow
     * @return a CPU access, which the caller closes; it holds the memory until then
     * @throws HeapException when the kernel refuses; {@link Errno#EACCES} for writing through a reference for reading
     */
    CpuAccess beginCpuAccess(Access access);

    /**
     * Waits as {@link #awaitDevices} does, and then begins a CPU access. The timeout limits only the first step, so it
     * is best effort: if a device begins between the two steps, {@link #beginCpuAccess(Access)} waits for it without
     * limit. That cannot happen if only this client starts the devices.
     *
     * @param access the direction of the accesses that follow
     * @param timeout longest wait of the first step, as in {@link #awaitDevices}
     * @return a CPU access, which the caller closes
     * @throws HeapException as the two calls
     * @since 1.2
     */
    default CpuAccess beginCpuAccess(Access access, Duration timeout) {
        awaitDevices(access, timeout);
        return beginCpuAccess(access);
    }

    /**
     * Waits until devices have finished the work on this buffer that they have begun before the call. For
     * {@link Access#READ} it waits for devices that write, for the other directions for all devices that use the
     * buffer. It begins no CPU access and does not exclude that a device begins again.
     *
     * <p>The wait holds neither the memory nor a thread: a virtual thread releases its carrier. It has one descriptor
     * of the process. An interrupt ends it, and the thread stays interrupted. A close of this reference does not end
     * it.
     *
     * <p>The kernel shows the work of a device by fences (sync_file, Linux 6.0). Drivers of GPUs and displays set them;
     * those of cameras and codecs (V4L2) do not, and report finished buffers by their queues. The call returns at once
     * for memory without fences: a memfd, or a buffer whose descriptor was never exported. A failure of a device is
     * reported if the device was still at work when the call began.
     *
     * @param access the direction of the accesses that are to follow
     * @param timeout longest wait; zero only looks. More than 292 years count as 292 years
     * @throws HeapException {@link Errno#ETIMEDOUT} when the devices have not finished in time; {@link Errno#EINTR}
     *     after an interrupt; the error number of a device that failed, with a message that says so; {@link
     *     Errno#ENOTSUP} when this kernel does not show the fences of a dma-buf; {@link Errno#EMFILE} when the process
     *     has reached its limit of descriptors; {@link Errno#ECANCELED} when the broker stops; {@link Errno#EACCES} for
     *     writing through a reference for reading
     * @throws IllegalArgumentException for a negative timeout
     * @since 1.2
     */
    void awaitDevices(Access access, Duration timeout);

    /**
     * Exports a descriptor for a device, a library or another process. It is close-on-exec and permits the access that
     * {@link AllocationRequest#withExport} fixed. While an exported buffer has another holder, the heap does not reuse
     * its memory. The memory stays charged until then, even after this process has closed the buffer.
     *
     * @return a new descriptor that the caller owns
     * @throws HeapException {@link Errno#ENOTSUP} for a buffer allocated with {@link ExportMode#NONE}, or of a kind of
     *     memory whose holders cannot be tracked; {@link Errno#EACCES} when the descriptor would permit more than this
     *     reference; {@link Errno#EMFILE} when the process has reached its limit of descriptors; {@link Errno#ENOSPC}
     *     when the user has reached the limit of inotify watches, which track holders
     */
    OwnedFd exportFd();

    /**
     * Opens another reference to the same memory, for instance for another thread. It permits the same access as this
     * reference, and the memory is not charged again.
     *
     * @return a reference of the same client, which the caller closes
     */
    DmaBuf newReference();

    /** Closes this reference. Mappings stay valid until their arenas end. Closing twice does nothing. */
    @Override
    void close();
}
