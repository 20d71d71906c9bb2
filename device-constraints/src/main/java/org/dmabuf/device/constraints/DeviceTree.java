// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * Reader of the device tree, which the firmware passes to the kernel: one folder for a node, one file for a property.
 * Numbers are big-endian cells of 32 bits.
 */
final class DeviceTree {
    private static final String RANGES = "dma-ranges";
    private static final int USUAL_ADDRESS_CELLS = 2;
    /** The cells of an address of the PCI bus. */
    private static final int MOST_CELLS = 3;

    private static final int CELL_BITS = 32;

    /** Addresses from the first to the last, both included. */
    private record Window(long first, long last) {
        /** Returns the part of this window that is in another one, moved by an offset; null if it is empty. */
        Window within(Window other, long offset) {
            long from = Math.max(first, other.first);
            long to = Math.min(last, other.last);
            if (from > to || offset > Long.MAX_VALUE - from) {
                return null;
            }
            return new Window(from + offset, offset > Long.MAX_VALUE - to ? Long.MAX_VALUE : to + offset);
        }
    }

    private final Path base;

    /** @param base the folder of the root node */
    DeviceTree(Path base) {
        this.base = base;
    }

    /**
     * Returns the physical addresses that the buses between a device and the memory pass. If they pass several
     * separate ranges, it is the largest: a demand is one range, and memory in the others is refused.
     *
     * @param node the device's node
     * @return a range {@code 0xFIRST-0xLAST}; empty if the tree does not limit the addresses
     * @throws IOException if a property cannot be read, or has another length than its cells need
     */
    Optional<String> addresses(Path node) throws IOException {
        if (strings(node.resolve("interconnect-names")).contains("dma-mem")) {
            return Optional.empty(); // the accesses take another way than the parents
        }
        List<Window> windows = List.of(new Window(0, Long.MAX_VALUE));
        boolean limited = false;
        for (Path bus = node.getParent(); bus.startsWith(base) && !bus.equals(base); bus = bus.getParent()) {
            Path ranges = bus.resolve(RANGES);
            if (Files.exists(ranges)) {
                ByteBuffer cells = cells(ranges);
                limited |= cells.hasRemaining();
                windows = cells.hasRemaining() ? translated(windows, bus, cells) : windows;
            } else if (!bus.equals(node.getParent())) {
                return Optional.empty(); // as the kernel, which requires the property from the second bus on
            }
        }
        if (!limited) {
            return Optional.empty();
        }
        Window largest = joined(windows).stream()
                .max(Comparator.comparingLong(window -> window.last() - window.first()))
                .orElseThrow(() -> new IOException("the buses of " + node + " pass no address"));
        return Optional.of("0x" + Long.toHexString(largest.first()) + "-0x" + Long.toHexString(largest.last()));
    }

    /** Translates addresses of a bus to addresses of its parent. */
    private static List<Window> translated(List<Window> windows, Path bus, ByteBuffer ranges) throws IOException {
        int own = cellsOf(bus.resolve("#address-cells"), USUAL_ADDRESS_CELLS);
        int parent = cellsOf(bus.getParent().resolve("#address-cells"), USUAL_ADDRESS_CELLS);
        int sizes = cellsOf(bus.resolve("#size-cells"), 1);
        if (ranges.remaining() % ((own + parent + sizes) * Integer.BYTES) != 0) {
            throw new IOException(bus.resolve(RANGES) + " has " + ranges.remaining() + " bytes");
        }
        List<Window> all = new ArrayList<>();
        while (ranges.hasRemaining()) {
            long from = number(ranges, own);
            long to = number(ranges, parent);
            long size = number(ranges, sizes);
            if (from < 0 || to < 0 || size == 0) {
                continue; // above 63 bits, where no memory is
            }
            long last = size < 0 || from > Long.MAX_VALUE - size ? Long.MAX_VALUE : from + size - 1;
            for (Window window : windows) {
                Window moved = window.within(new Window(from, last), to - from);
                if (moved != null) {
                    all.add(moved);
                }
            }
        }
        return all;
    }

    /** Joins windows that touch or overlap. */
    private static List<Window> joined(List<Window> windows) {
        List<Window> joined = new ArrayList<>();
        for (Window window :
                windows.stream().sorted(Comparator.comparingLong(Window::first)).toList()) {
            Window before = joined.isEmpty() ? null : joined.getLast();
            if (before != null && window.first() - 1 <= before.last()) {
                joined.removeLast();
                joined.add(new Window(before.first(), Math.max(before.last(), window.last())));
            } else {
                joined.add(window);
            }
        }
        return joined;
    }

    /**
     * Returns the names of the memory that is set aside for a device and that a heap can provide. For a region
     * {@code video@30000000} they are the name of the node with and without its address.
     *
     * @param node the device's node
     * @return names for a heap; empty if no such memory is set aside
     * @throws IOException if a property cannot be read
     */
    List<String> regions(Path node) throws IOException {
        Path reserved = base.resolve("reserved-memory");
        if (!Files.exists(node.resolve("memory-region")) || !Files.exists(reserved)) {
            return List.of();
        }
        ByteBuffer handles = cells(node.resolve("memory-region"));
        TreeSet<String> names = new TreeSet<>();
        while (handles.hasRemaining()) {
            int handle = handles.getInt();
            try (DirectoryStream<Path> regions = Files.newDirectoryStream(reserved, Files::isDirectory)) {
                for (Path region : regions) {
                    if (number(region.resolve("phandle"), 0) == handle
                            && strings(region.resolve("compatible")).contains("shared-dma-pool")) {
                        String name = region.getFileName().toString();
                        names.add(name);
                        names.add(name.replaceFirst("@.*", ""));
                    }
                }
            }
        }
        return List.copyOf(names);
    }

    private static List<String> strings(Path file) throws IOException {
        return Files.exists(file)
                ? List.of(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).split("\0"))
                : List.of();
    }

    private static int cellsOf(Path file, int absent) throws IOException {
        int number = number(file, absent);
        if (number < 1 || number > MOST_CELLS) {
            throw new IOException(file + " has the number " + number);
        }
        return number;
    }

    private static int number(Path file, int absent) throws IOException {
        if (!Files.exists(file)) {
            return absent;
        }
        ByteBuffer cells = cells(file);
        if (!cells.hasRemaining()) {
            throw new IOException(file + " is empty");
        }
        return cells.getInt();
    }

    private static ByteBuffer cells(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        if (bytes.length % Integer.BYTES != 0) {
            throw new IOException(file + " has " + bytes.length + " bytes");
        }
        return ByteBuffer.wrap(bytes);
    }

    /** Reads a number of several cells. The first cell of an address of the PCI bus has flags and is shifted out. */
    private static long number(ByteBuffer cells, int count) {
        long number = 0;
        for (int i = 0; i < count; i++) {
            number = number << CELL_BITS | Integer.toUnsignedLong(cells.getInt());
        }
        return number;
    }
}
