// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.linux.process.Holder;
import org.dmabuf.heap.linux.process.HolderScan;
import org.dmabuf.heap.linux.process.SharedFile;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Report of {@code dmaheap:holders}: memory with its holders, one row for each holder.
 *
 * @param buffers the broker's buffers
 * @param foreign other dma-bufs
 * @param limits sentences about processes that could not be read
 */
record HolderReport(List<HeldMemory> buffers, List<HeldMemory> foreign, List<String> limits) {
    private static final String UNKNOWN = "-";

    /** {@return a report on the broker's buffers alone} */
    static HolderReport of(List<BufferRecord> buffers, HolderScan scan) {
        return new HolderReport(
                buffers.stream()
                        .map(buffer -> new HeldMemory(Optional.of(buffer), scan.of(buffer)))
                        .toList(),
                List.of(),
                scan.limits());
    }

    /** {@return this report with all other dma-bufs of the machine} */
    HolderReport withForeign(HolderScan scan) {
        Set<SharedFile> ours = new HashSet<>();
        buffers.forEach(memory -> memory.file().ifPresent(ours::add));
        return new HolderReport(
                buffers,
                scan.files().stream()
                        .filter(file -> !ours.contains(file))
                        .map(file -> new HeldMemory(Optional.empty(), Optional.of(file)))
                        .toList(),
                limits);
    }

    /** {@return each holder in a line of 80 characters, and below, what the table cannot show} */
    String narrow() {
        Table table = new Table("BUFFER…", "HEAP…", "SIZE ", "INODE ", "PID ", "PROCESS…", "DESCRIPTORS…", "MAPS ");
        for (HeldMemory memory : all()) {
            String[] first = {
                memory.name().orElse(UNKNOWN),
                memory.buffer().map(BufferRecord::heap).orElse(UNKNOWN),
                size(memory),
                inode(memory)
            };
            rows(memory).forEach(row -> table.row(joined(first, row)));
        }
        return table.within(Table.WIDTH) + notes();
    }

    /** {@return as {@link #narrow}, with every column and every name in full} */
    String wide() {
        Table table = new Table(
                "BUFFER",
                "HEAP",
                "CLIENT",
                "EXPORTER",
                "SIZE ",
                "INODE ",
                "COUNT ",
                "PID ",
                "PROCESS",
                "DESCRIPTORS",
                "MAPPINGS ",
                "MAPPED ");
        ClientNames clients = new ClientNames(buffers.stream()
                .map(memory -> memory.buffer().orElseThrow().client())
                .toList());
        for (HeldMemory memory : all()) {
            String[] first = {
                memory.name().orElse(UNKNOWN),
                memory.buffer().map(BufferRecord::heap).orElse(UNKNOWN),
                memory.buffer().map(ours -> clients.of(ours.client())).orElse(UNKNOWN),
                memory.file().flatMap(SharedFile::exporter).orElse(UNKNOWN),
                size(memory),
                inode(memory),
                count(memory)
            };
            List<Holder> holders = memory.holders();
            List<String[]> rows = rows(memory);
            for (int i = 0; i < rows.size(); i++) {
                String mapped = i < holders.size() && holders.get(i).mappings() > 0
                        ? Bytes.text(holders.get(i).mappedBytes())
                        : UNKNOWN;
                table.row(joined(joined(first, rows.get(i)), mapped));
            }
        }
        return table + notes();
    }

    /** {@return all of it as JSON; the names are stable} */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("buffers", buffers.stream().map(HeldMemory::toMap).toList());
        map.put("foreign", foreign.stream().map(HeldMemory::toMap).toList());
        map.put("limits", limits);
        return map;
    }

    private List<HeldMemory> all() {
        List<HeldMemory> all = new ArrayList<>(buffers);
        all.addAll(foreign);
        return all;
    }

    /** {@return process id, process, descriptors and mappings of each holder; at least one row} */
    private static List<String[]> rows(HeldMemory memory) {
        List<String[]> rows = new ArrayList<>();
        for (Holder holder : memory.holders()) {
            rows.add(new String[] {
                Integer.toString(holder.pid()),
                holder.name(),
                holder.descriptors().isEmpty()
                        ? UNKNOWN
                        : holder.descriptors().stream().map(String::valueOf).collect(Collectors.joining(",")),
                holder.mappings() == 0 ? UNKNOWN : Integer.toString(holder.mappings())
            });
        }
        if (memory.unattributed() > 0) {
            rows.add(new String[] {UNKNOWN, "(count +" + memory.unattributed() + ")", UNKNOWN, UNKNOWN});
        }
        if (rows.isEmpty()) {
            boolean left = memory.buffer().map(BufferRecord::exported).orElse(true);
            rows.add(new String[] {UNKNOWN, left ? "(not seen)" : "(private)", UNKNOWN, UNKNOWN});
        }
        return rows;
    }

    private static String[] joined(String[] first, String... last) {
        String[] all = new String[first.length + last.length];
        System.arraycopy(first, 0, all, 0, first.length);
        System.arraycopy(last, 0, all, first.length, last.length);
        return all;
    }

    private static String size(HeldMemory memory) {
        return memory.size().isPresent() ? Bytes.text(memory.size().getAsLong()) : UNKNOWN;
    }

    private static String inode(HeldMemory memory) {
        return memory.inode().isPresent() ? Long.toString(memory.inode().getAsLong()) : UNKNOWN;
    }

    private static String count(HeldMemory memory) {
        return memory.file()
                .map(SharedFile::count)
                .filter(count -> count.isPresent())
                .map(count -> Long.toString(count.getAsLong()))
                .orElse(UNKNOWN);
    }

    private String notes() {
        List<String> notes = new ArrayList<>();
        if (all().stream().anyMatch(memory -> memory.unattributed() > 0)) {
            notes.add("(count +N): the kernel counts N more. These are imports into devices and messages under way"
                    + (limits.isEmpty() ? "." : ", and processes that could not be read."));
        }
        if (all().stream().anyMatch(HeldMemory::isWithoutCount)) {
            notes.add("The kernel counts only holders of dma-bufs. Messages under way with other memory are not seen.");
        }
        notes.addAll(limits);
        return notes.stream()
                .map(note -> "\n" + Paragraph.of("", note, 2))
                .collect(Collectors.joining("", "\n", ""))
                .stripTrailing();
    }
}
