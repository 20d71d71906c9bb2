// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PhysicalMemoryTest {
    @TempDir
    private Path system;

    private void write(String file, String text) throws IOException {
        Files.createDirectories(system.resolve(file).getParent());
        Files.writeString(system.resolve(file), text);
    }

    private void blocks(int... numbers) throws IOException {
        for (int number : numbers) {
            Files.createDirectories(system.resolve("memory/memory" + number));
        }
    }

    @Test
    void addresses_and_nodes_follow_from_the_blocks_of_the_kernel() throws IOException {
        write("memory/block_size_bytes", "8000000\n");
        write("memory/auto_online_blocks", "offline\n");
        blocks(1, 9, 10, 31);
        write("node/has_memory", "0-1,4\n");
        assertEquals(
                Map.of(
                        HeapProperties.ADDRESS_MIN, 0x800_0000L,
                        HeapProperties.ADDRESS_MAX, 0xFFFF_FFFFL,
                        HeapProperties.NUMA, List.of(0, 1, 4)),
                PhysicalMemory.read(system));
    }

    @Test
    void a_kernel_that_lists_no_blocks_gives_no_addresses() throws IOException {
        assertEquals(Map.of(), PhysicalMemory.read(system));
        write("memory/block_size_bytes", "8000000\n");
        write("node/has_memory", "0\n");
        assertEquals(Map.of(HeapProperties.NUMA, List.of(0)), PhysicalMemory.read(system));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "x", "-1", "7fffffffffffffff", "ffffffffffffffffff"})
    void a_block_size_that_cannot_be_gives_no_addresses(String size) throws IOException {
        write("memory/block_size_bytes", size);
        blocks(1);
        write("node/has_memory", "x-y");
        assertEquals(Map.of(), PhysicalMemory.read(system));
    }

    @Test
    void a_block_with_a_number_that_cannot_be_gives_no_addresses() throws IOException {
        write("memory/block_size_bytes", "8000000");
        blocks(1);
        Files.createDirectories(system.resolve("memory/memory99999999999999999999"));
        assertEquals(Map.of(), PhysicalMemory.read(system));
    }
}
