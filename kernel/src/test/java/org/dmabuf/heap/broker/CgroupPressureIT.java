// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Tests of memory pressure in a cgroup of version 2. The guest always has version 2, which also reports stalls. */
class CgroupPressureIT extends PressureTest {
    @BeforeAll
    static void cgroups_are_of_version_2() throws IOException {
        try (MemoryCgroup cgroup = MemoryCgroup.make().orElseThrow()) {
            assertEquals("memory.max", cgroup.limit());
        }
    }

    @Test
    void pooled_memory_is_released_when_the_cgroup_stalls() throws Exception {
        try (MemoryCgroup cgroup = MemoryCgroup.make().orElseThrow()) {
            Path folder = cgroup.folder();
            List<String> lines = cgroup.run(Stalled.class, folder.toString());
            assertEquals(List.of("watches " + folder.resolve("memory.pressure"), "keeps 48 MiB", "keeps 0 MiB"), lines);
        }
    }

    /**
     * Above memory.high the kernel puts the process's threads to sleep until memory is released, which here means for
     * ever.
     */
    @Test
    void a_greedy_client_under_memory_high_is_refused_and_the_process_continues() throws Exception {
        try (MemoryCgroup cgroup = MemoryCgroup.make().orElseThrow()) {
            write(cgroup, "memory.high", "max");
            write(cgroup, "memory.max", "max");
            write(cgroup, "memory.high", Long.toString(220L << 20));
            assertRefusedBy(cgroup, "memory.high", cgroup.run(Greedy.class));
        }
    }

    /** With this setting the kernel kills all processes of the cgroup together. */
    @Test
    void a_greedy_client_whose_cgroup_is_killed_as_a_whole_is_refused_and_lives() throws Exception {
        try (MemoryCgroup cgroup = MemoryCgroup.make().orElseThrow()) {
            write(cgroup, "memory.oom.group", "1");
            assertRefusedBy(cgroup, cgroup.limit(), cgroup.run(Greedy.class));
        }
    }

    private static void write(MemoryCgroup cgroup, String file, String text) throws IOException {
        Files.writeString(cgroup.folder().resolve(file), text, StandardOpenOption.WRITE);
    }

    /** A process with a pool, which the kernel slows down as it does with a process that exceeds its limit. */
    static final class Stalled {
        private static final int POOL = 48;
        private static final long MIB = 1 << 20;

        public static void main(String[] arguments) throws IOException {
            Path cgroup = Path.of(arguments[0]);
            MemorySource source = PooledSource.over(
                    MemfdSource.open("system", Syscalls.linux(), Headroom.machine()),
                    "system",
                    Syscalls.linux(),
                    Headroom.machine(),
                    PoolBudget.none().withRecycled(POOL * MIB).withIdle(Duration.ofDays(1)));
            report("watches " + watched());
            List<HeapBuffer> buffers = new ArrayList<>();
            for (int i = 0; i < POOL; i++) {
                buffers.add(source.allocate(HeapRequest.of(MIB).withExport(ExportMode.NONE)));
            }
            buffers.forEach(HeapBuffer::release);
            buffers.clear();
            report("keeps " + kept(source) / MIB + " MiB");
            long used = Long.parseLong(
                    Files.readString(cgroup.resolve("memory.current")).strip());
            Files.writeString(cgroup.resolve("memory.high"), Long.toString(used), StandardOpenOption.WRITE);
            long end = System.nanoTime() + Duration.ofMinutes(2).toNanos();
            // This memory comes from no heap, because a heap would refuse before the kernel slows the process down.
            int other = Syscalls.linux().memfdCreate("other", 0);
            for (int i = 0; kept(source) > 0 && System.nanoTime() < end; i++) {
                if (i < POOL) {
                    Syscalls.linux().fallocate(other, 0, i * MIB, MIB); // over the limit, so it waits
                }
            }
            report("keeps " + kept(source) / MIB + " MiB");
            Syscalls.linux().close(other);
            source.close();
        }

        private static String watched() throws IOException {
            try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
                return descriptors
                        .filter(Files::isSymbolicLink)
                        .map(Stalled::target)
                        .filter(target -> target.endsWith("/memory.pressure"))
                        .findFirst()
                        .orElse("nothing");
            }
        }

        private static String target(Path descriptor) {
            try {
                return Files.readSymbolicLink(descriptor).toString();
            } catch (IOException e) {
                return ""; // the memory of the list itself
            }
        }

        private static long kept(MemorySource source) {
            return source.usage().pools().stream().mapToLong(PoolUsage::bytes).sum();
        }

        private static void report(String what) {
            System.out.println(MemoryCgroup.LINE_PREFIX + what);
        }
    }
}
