// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.linux.process.Holder;
import org.dmabuf.heap.linux.process.SharedFile;

/**
 * Memory with the processes that hold it: a buffer of the broker, or a foreign dma-buf.
 *
 * @param buffer the broker's buffer, empty for a foreign dma-buf
 * @param file its file; empty for a buffer that was not exported, or that no process shows
 */
record HeldMemory(Optional<BufferRecord> buffer, Optional<SharedFile> file) {
    Optional<String> name() {
        return buffer.isPresent() ? buffer.get().name() : file.flatMap(SharedFile::name);
    }

    OptionalLong size() {
        return buffer.isPresent()
                ? OptionalLong.of(buffer.get().size())
                : file.map(SharedFile::size).orElse(OptionalLong.empty());
    }

    OptionalLong inode() {
        return buffer.isPresent()
                ? buffer.get().inode()
                : OptionalLong.of(file.orElseThrow().inode());
    }

    List<Holder> holders() {
        return file.map(SharedFile::holders).orElse(List.of());
    }

    /** {@return holders that only the kernel's count shows} */
    long unattributed() {
        return file.map(SharedFile::unattributed).orElse(0L);
    }

    /** {@return whether a descriptor left, for which the kernel has no count} */
    boolean isWithoutCount() {
        return buffer.filter(BufferRecord::exported).isPresent()
                && file.map(SharedFile::count).orElse(OptionalLong.empty()).isEmpty();
    }

    /** {@return all of it as JSON; the names are stable} */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        name().ifPresent(text -> map.put("name", text));
        buffer.ifPresent(ours -> {
            map.put("heap", ours.heap());
            map.put("client", ours.client().toString());
            Optional<String> location = ours.client().location();
            location.ifPresent(place -> map.put("location", place));
            map.put("lingering", ours.lingering());
            map.put("exported", ours.exported());
        });
        size().ifPresent(bytes -> map.put("size", bytes));
        inode().ifPresent(number -> map.put("inode", number));
        file.flatMap(SharedFile::exporter).ifPresent(text -> map.put("exporter", text));
        file.map(SharedFile::count).orElse(OptionalLong.empty()).ifPresent(count -> {
            map.put("count", count);
            map.put("unattributed", unattributed());
        });
        map.put("holders", holders().stream().map(HeldMemory::of).toList());
        return map;
    }

    private static Map<String, Object> of(Holder holder) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("pid", holder.pid());
        map.put("process", holder.name());
        map.put("descriptors", holder.descriptors());
        map.put("mappings", holder.mappings());
        map.put("mappedBytes", holder.mappedBytes());
        return map;
    }
}
