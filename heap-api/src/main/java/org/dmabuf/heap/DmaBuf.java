// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Reference to shareable memory. The memory lives until the last reference is closed and the last mapping's arena has
 * ended; it also lives on in every process that holds a descriptor or mapping of it.
 *
 * <p>Any thread may call any method. A closed reference throws {@link IllegalStateException}, except from
 * {@link #close()} and the accessors of plain values.
 */
@ProviderType
public interface DmaBuf extends AutoCloseable {
    /** {@return bytes; at least what was asked for, rounded up as the heap needs, commonly to whole pages} */
    long size();

    /** {@return {@code heap.name} of the heap that it came from, which may have left since} */
    String heapName();

    /** {@return the heap's service properties as they were at allocation, see {@link HeapProperties}} */
    Map<String, Object> heapProperties();

    /** {@return the name given at allocation} */
    Optional<String> name();

    /**
     * The kernel's number for the memory's file: the identity by which {@code /proc} and other processes know it.
     *
     * @return empty for a buffer that was allocated without a descriptor
     */
    OptionalLong inode();

    /**
     * Maps the whole buffer, as {@link java.nio.channels.FileChannel#map} does: the segment is valid until the arena
     * ends, also when this reference is closed before, and the memory is held till then. The pages are given back soon
     * after the arena has ended, by a thread of the broker.
     *
     * @param access {@link Access#READ} gives a read-only segment; WRITE and READ_WRITE give one to read and write
     * @param arena confined, shared or automatic
     * @return a segment of {@link #size()} bytes
     * @throws HeapException {@link Errno#EINVAL} for the global arena, which never ends, or memory that the CPU may not
     *     map; {@link Errno#EACCES} for writing through a reference for reading; {@link Errno#ENOMEM} when the
     *     process has no room for another mapping
     * @throws IllegalStateException when the arena is closed
     * @throws WrongThreadException when the arena is confined to another thread
     */
    MemorySegment map(Access access, Arena arena);

    /**
     * Begins a CPU access: waits for the devices that write (or, for a write, use) the buffer, and makes memory and
     * caches agree. It is cache coherency and waiting, not mutual exclusion, and needs no mapping. May wait without
     * limit for a device that hangs; an interrupt of the thread does not end the wait.
     *
     * <pre>{@code
     * try (CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
     *     segment.copyFrom(frame);
     * }
     * }</pre>
     *
     * @param access what the CPU is going to do
     * @return a CPU access, which the caller closes; it holds the memory until then
     * @throws HeapException when the kernel refuses; {@link Errno#EACCES} for writing through a reference for reading
     */
    CpuAccess beginCpuAccess(Access access);

    /**
     * Makes a descriptor to hand to a device, a library or another process. It is close-on-exec, and gives the access
     * that {@link AllocationRequest#withExport} fixed. Memory whose descriptor left the process is never reused by a
     * heap while it has another holder, and stays charged to its heap until then, also when this process has closed it.
     *
     * @return a new descriptor that the caller owns
     * @throws HeapException {@link Errno#ENOTSUP} for a buffer allocated with {@link ExportMode#NONE}, or of a kind of
     *     memory whose holders cannot be tracked; {@link Errno#EACCES} when the descriptor would permit more than this
     *     reference; {@link Errno#EMFILE} when the process has no descriptor left;
     *     {@link Errno#ENOSPC} when the user has no inotify watch left, by which holders are tracked
     */
    OwnedFd exportFd();

    /**
     * Opens another reference to the same memory, for instance to give to another thread. It permits what this one
     * does, and is not charged again.
     *
     * @return a reference that the caller closes, of the same client
     */
    DmaBuf newReference();

    /** Drops this reference. Mappings stay valid until their arenas end. Closing twice does nothing. */
    @Override
    void close();
}
