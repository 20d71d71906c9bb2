// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Shareable memory, and the processes that hold it. Immutable. */
public final class SharedFile {
    private final FileId id;
    private final Optional<DmaBufFacts> facts;
    private final List<Holder> holders;

    SharedFile(FileId id, Optional<DmaBufFacts> facts, List<Holder> holders) {
        this.id = id;
        this.facts = facts;
        this.holders = List.copyOf(holders);
    }

    /**
     * Makes a dma-buf.
     *
     * @param fileSystem {@code st_dev}
     * @param inode inode number
     * @param size bytes
     * @param count the kernel's count of holders
     * @param exporter the kernel code that made it
     * @param name empty for a dma-buf without a name
     * @param holders processes that hold it, by process id
     * @return the dma-buf
     */
    public static SharedFile ofDmaBuf(
            long fileSystem, long inode, long size, long count, String exporter, String name, List<Holder> holders) {
        return new SharedFile(
                new FileId(fileSystem, inode),
                Optional.of(new DmaBufFacts(inode, size, count, exporter, name)),
                holders);
    }

    /** {@return the device number of its file system, {@code st_dev}; -1 if no process shows it} */
    public long fileSystem() {
        return id.fileSystem();
    }

    /** {@return the inode number} */
    public long inode() {
        return id.inode();
    }

    /** {@return the kernel code that made the dma-buf; empty if unknown, and for a file that is no dma-buf} */
    public Optional<String> exporter() {
        return facts.map(DmaBufFacts::exporter);
    }

    /** {@return the name of the dma-buf, which any holder can set; it can contain any character} */
    public Optional<String> name() {
        return facts.map(DmaBufFacts::name).filter(name -> !name.isEmpty());
    }

    /** {@return bytes of the dma-buf; empty if unknown, and for a file that is no dma-buf} */
    public OptionalLong size() {
        return facts.isPresent() ? OptionalLong.of(facts.get().size()) : OptionalLong.empty();
    }

    /**
     * {@return the kernel's count of descriptors, mappings, imports and messages under way; empty if unknown, and for a
     * file that is no dma-buf}
     */
    public OptionalLong count() {
        return facts.isPresent() ? OptionalLong.of(facts.get().count()) : OptionalLong.empty();
    }

    /** {@return processes that hold it, by process id} */
    public List<Holder> holders() {
        return holders;
    }

    /**
     * {@return the part of {@link #count()} without a process: imports into devices, messages under way, and holders
     * that the scan could not read; 0 if the count is unknown}
     */
    public long unattributed() {
        long found = holders.stream()
                .mapToLong(holder -> holder.descriptors().size() + holder.mappings())
                .sum();
        return Math.max(0, count().orElse(0) - found);
    }

    @Override
    public String toString() {
        return id + " held by " + holders;
    }
}
