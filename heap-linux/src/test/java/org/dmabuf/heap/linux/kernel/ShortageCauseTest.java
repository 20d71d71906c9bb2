// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShortageCauseTest {
    private static final long MIB = 1 << 20;

    private static final String BY_MEMORY =
            "ask for less, close buffers, or raise a limit of the cgroup (memory.max, MemoryMax= in a unit)";

    @TempDir
    Path proc;

    private ShortageCause cause;

    @BeforeEach
    void a_process_with_400_mib_of_mappings() throws IOException {
        Files.createDirectories(proc.resolve("self"));
        Files.createDirectories(proc.resolve("sys/vm"));
        Files.writeString(proc.resolve("self/statm"), 400 * MIB / Bytes.PAGE + " 99 9 1 0 99 0\n");
        cause = new ShortageCause(proc);
    }

    private void limits(String addressSpace) throws IOException {
        Files.writeString(proc.resolve("self/limits"), """
                Limit                     Soft Limit           Hard Limit           Units
                Max file size             1048576              unlimited            bytes
                Max address space         %s            unlimited            bytes
                """.formatted(addressSpace));
    }

    @Test
    void a_mapping_beyond_the_limit_of_address_space_names_that_limit() throws IOException {
        limits("" + 512 * MIB);
        String remedy = cause.remedyForMapping(113 * MIB);
        assertTrue(remedy.contains("address space, which is 512 MiB (LimitAS="), remedy);
        assertFalse(remedy.contains("vm.max_map_count"), remedy);
    }

    @Test
    void a_mapping_within_the_limit_of_address_space_names_the_number_of_mappings() throws IOException {
        limits("" + 512 * MIB);
        assertTrue(cause.remedyForMapping(112 * MIB).contains("vm.max_map_count"));
        limits("unlimited");
        assertTrue(cause.remedyForMapping(Long.MAX_VALUE).contains("vm.max_map_count"));
    }

    @Test
    void without_proc_the_most_common_limit_is_assumed() {
        ShortageCause hidden = new ShortageCause(proc.resolve("nothing"));
        assertTrue(hidden.remedyForMapping(MIB).contains("vm.max_map_count"));
        assertEquals(BY_MEMORY, hidden.remedyForMemory());
    }

    @Test
    void strict_overcommit_is_named() throws IOException {
        Files.writeString(proc.resolve("sys/vm/overcommit_memory"), "2\n");
        assertTrue(cause.remedyForMemory().contains("vm.overcommit_ratio"), cause.remedyForMemory());
        Files.writeString(proc.resolve("sys/vm/overcommit_memory"), "0\n");
        assertEquals(BY_MEMORY, cause.remedyForMemory());
    }

    @Test
    void a_limit_is_read_as_the_kernel_lists_it() throws IOException {
        limits("unlimited");
        assertEquals(OptionalLong.of(MIB), ProcessLimit.FILE_SIZE.in(proc));
        assertEquals(OptionalLong.empty(), ProcessLimit.ADDRESS_SPACE.in(proc));
        assertEquals(OptionalLong.empty(), ProcessLimit.LOCKED_MEMORY.in(proc), "not in the list");
        limits("18446744073709547520"); // what setrlimit takes as unlimited minus a page
        assertEquals(OptionalLong.of(Long.MAX_VALUE), ProcessLimit.ADDRESS_SPACE.in(proc));
    }
}
