// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Attribution of files to the processes that hold them. For one thread. */
final class Attribution {
    private static final long UNKNOWN = -1;

    private final Set<FileId> wanted;
    private final Map<FileId, DmaBufFacts> facts = new HashMap<>();
    /** Each file with the parts of its holders, by process id. */
    private final Map<FileId, TreeMap<Integer, Parts>> uses = new HashMap<>();

    /** A process's uses of one file. */
    private static final class Parts {
        final String name;
        final List<Integer> descriptors = new ArrayList<>();
        int mappings;
        long mappedBytes;

        Parts(String name) {
            this.name = name;
        }
    }

    /**
     * Attributes files.
     *
     * @param wanted files to include besides dma-bufs
     * @param processes all processes with their files
     * @param listed dma-bufs that the kernel lists, also without a process
     */
    Attribution(Set<FileId> wanted, Collection<ProcessFiles> processes, Collection<DmaBufFacts> listed) {
        this.wanted = wanted;
        processes.forEach(this::addOpen);
        Set<Long> fileSystems = new HashSet<>();
        facts.keySet().forEach(file -> fileSystems.add(file.fileSystem()));
        processes.forEach(process -> addMapped(process, fileSystems));
        addListed(listed);
    }

    private void addOpen(ProcessFiles process) {
        for (ProcessFiles.Open open : process.open()) {
            open.facts().ifPresent(shown -> facts.put(open.file(), shown));
            parts(open.file(), process).descriptors.add(open.descriptor());
        }
    }

    /** The file system of dma-bufs is known from their descriptors. It unmasks other files with such a name. */
    private void addMapped(ProcessFiles process, Set<Long> fileSystems) {
        for (ProcessFiles.Mapped mapped : process.mapped()) {
            boolean dmaBuf = mapped.claimsDmaBuf()
                    && (fileSystems.isEmpty()
                            || fileSystems.contains(mapped.file().fileSystem()));
            if (dmaBuf || wanted.contains(mapped.file())) {
                Parts parts = parts(mapped.file(), process);
                parts.mappings++;
                parts.mappedBytes += mapped.bytes();
            }
        }
    }

    private Parts parts(FileId file, ProcessFiles process) {
        return uses.computeIfAbsent(file, _ -> new TreeMap<>())
                .computeIfAbsent(process.pid(), _ -> new Parts(process.name()));
    }

    private void addListed(Collection<DmaBufFacts> listed) {
        Map<Long, FileId> known = new HashMap<>();
        uses.keySet().stream().filter(file -> !wanted.contains(file)).forEach(file -> known.put(file.inode(), file));
        facts.keySet().forEach(file -> known.put(file.inode(), file));
        for (DmaBufFacts shown : listed) {
            FileId file = known.getOrDefault(shown.inode(), new FileId(UNKNOWN, shown.inode()));
            facts.putIfAbsent(file, shown);
            uses.computeIfAbsent(file, _ -> new TreeMap<>());
        }
    }

    /** {@return each file with its holders} */
    Map<FileId, SharedFile> files() {
        Map<FileId, SharedFile> files = new HashMap<>();
        uses.forEach((file, parts) -> files.put(
                file,
                new SharedFile(
                        file,
                        Optional.ofNullable(facts.get(file)),
                        parts.entrySet().stream()
                                .map(entry -> holder(entry.getKey(), entry.getValue()))
                                .toList())));
        return Map.copyOf(files);
    }

    private static Holder holder(int pid, Parts parts) {
        return new Holder(
                pid, parts.name, parts.descriptors.stream().sorted().toList(), parts.mappings, parts.mappedBytes);
    }
}
