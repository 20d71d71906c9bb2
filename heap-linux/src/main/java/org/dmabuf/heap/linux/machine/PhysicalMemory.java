// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.kernel.ProcFile;

/**
 * Reader of the places of the machine's ordinary memory: its addresses and its nodes. The kernel lists blocks of memory
 * without their contents, so any process may read them. A kernel without support for memory that is added at run time
 * does not list blocks.
 */
public final class PhysicalMemory {
    private static final String BLOCK = "memory";
    private static final int HEX = 16;

    /** A reading serves all heaps for so long, because the folder can have thousands of blocks. */
    private static final long KEPT_NANOS = TimeUnit.SECONDS.toNanos(5);

    private record Reading(Map<String, Object> facts, long nanoTime) {}

    /** Null before the first reading. Two threads may read at a time, with the same result. */
    private static volatile Reading latest;

    private PhysicalMemory() {}

    /**
     * {@return properties that every heap of ordinary memory has: {@code heap.address.min}, {@code heap.address.max}
     * and {@code heap.numa}, as far as they are known}
     * @throws HeapException of a shortage, such as that of descriptors, in which they cannot be read
     */
    public static Map<String, Object> facts() {
        Reading reading = latest;
        if (reading == null || System.nanoTime() - reading.nanoTime() > KEPT_NANOS) {
            reading = new Reading(read(Path.of("/sys/devices/system")), System.nanoTime());
            latest = reading;
        }
        return reading.facts();
    }

    /**
     * Adds the facts to the properties of a source of ordinary memory.
     *
     * @param properties of the source itself
     * @return all properties
     * @throws HeapException as {@link #facts}
     */
    public static Map<String, Object> with(Map<String, Object> properties) {
        Map<String, Object> all = new HashMap<>(facts());
        all.putAll(properties);
        return Map.copyOf(all);
    }

    /**
     * Reads the facts.
     *
     * @param system the folder {@code /sys/devices/system}
     * @throws HeapException as {@link #facts}
     */
    static Map<String, Object> read(Path system) {
        Map<String, Object> facts = new HashMap<>();
        OptionalLong size = number(system.resolve("memory/block_size_bytes"));
        long lowest = Long.MAX_VALUE;
        long highest = -1;
        Path folder = system.resolve(BLOCK);
        try (DirectoryStream<Path> blocks = Files.newDirectoryStream(folder, BLOCK + "[0-9]*")) {
            for (Path block : blocks) {
                long number = Long.parseLong(block.getFileName().toString().substring(BLOCK.length()));
                lowest = Math.min(lowest, number);
                highest = Math.max(highest, number);
            }
        } catch (NoSuchFileException | NotDirectoryException | AccessDeniedException | NumberFormatException e) {
            highest = -1; // absent, or not as the kernel writes it
        } catch (IOException | DirectoryIteratorException e) { // the folder may list blocks all the same
            throw HeapException.of(
                    Errno.EAGAIN,
                    "reading " + folder + " failed: " + e.getMessage()
                            + "; close buffers and descriptors, or raise the process's limit (ulimit -n, LimitNOFILE="
                            + " in a unit)");
        }
        if (size.isPresent() && highest >= 0 && highest < Long.MAX_VALUE / size.getAsLong() - 1) {
            facts.put(HeapProperties.ADDRESS_MIN, lowest * size.getAsLong());
            facts.put(HeapProperties.ADDRESS_MAX, (highest + 1) * size.getAsLong() - 1);
        }
        List<Integer> nodes =
                nodes(ProcFile.read(system.resolve("node/has_memory")).orElse(""));
        if (!nodes.isEmpty()) {
            facts.put(HeapProperties.NUMA, nodes);
        }
        return Map.copyOf(facts);
    }

    private static OptionalLong number(Path file) {
        try {
            long number = Long.parseLong(ProcFile.read(file).orElse("").strip(), HEX);
            return number > 0 ? OptionalLong.of(number) : OptionalLong.empty();
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    /** Parses a list of the kernel, such as {@code 0-1,4}; empty for another text. */
    private static List<Integer> nodes(String text) {
        try {
            return Stream.of(text.strip().split(","))
                    .flatMap(range -> {
                        String[] ends = range.split("-", 2);
                        return IntStream.rangeClosed(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]))
                                .boxed();
                    })
                    .toList();
        } catch (NumberFormatException e) {
            return List.of();
        }
    }
}
