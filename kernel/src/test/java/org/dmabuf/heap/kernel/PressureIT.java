// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;

/** Tests of limits that can only be reached safely on a separate machine. */
class PressureIT {
    private static final Path OVERCOMMIT = Path.of("/proc/sys/vm/overcommit_memory");
    private static final Path RATIO = Path.of("/proc/sys/vm/overcommit_ratio"); // 0 if the limit is set in bytes
    private static final Path COMMIT_LIMIT = Path.of("/proc/sys/vm/overcommit_kbytes");
    private static final Path KEPT_BACK = Path.of("/proc/sys/vm/user_reserve_kbytes");
    private static final Path SIZE_LIMIT = Path.of("/sys/module/udmabuf/parameters/size_limit_mb");

    @Test
    void at_the_strictest_overcommit_a_greedy_client_is_refused_and_the_process_lives() throws Exception {
        String before = Files.readString(OVERCOMMIT);
        String ratio = Files.readString(RATIO);
        String output;
        int status;
        try {
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "--enable-native-access=ALL-UNNAMED",
                            "-XX:+UseSerialGC",
                            "-XX:TieredStopAtLevel=1",
                            "-Xms32m",
                            "-Xmx32m",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Greedy.class.getName())
                    .redirectErrorStream(true)
                    .start();
            output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            status = process.waitFor();
        } finally {
            Files.writeString(OVERCOMMIT, before);
            Files.writeString(RATIO, ratio);
        }
        assertEquals(0, status, output);
        List<String> lines =
                output.lines().filter(line -> line.startsWith("greedy: ")).toList();
        assertEquals(4, lines.size(), output);
        for (String round : lines.subList(0, 2)) {
            assertTrue(
                    // by the kernel, or before a call to it
                    round.matches("greedy: [1-9]\\d* buffers, then ENOMEM heap 'system':"
                            + " (fallocate refused a buffer of 1 MiB|1 MiB does not fit):"
                            + " .* vm.overcommit_memory = 2 .*"),
                    output);
        }
        assertTrue(
                lines.get(2)
                        .matches("greedy: 0 buffers, then ENOMEM heap 'system': madvise\\(MADV_POPULATE\\) refused a"
                                + " buffer of 2 GiB: .* vm.overcommit_memory = 2 .*"),
                output);
        assertEquals("greedy: alive", lines.getLast());
    }

    /** Runs in that process. */
    static final class Greedy {
        private static final long SIZE = 1 << 20;
        private static final long ROOM = 512 << 20;

        public static void main(String[] arguments) throws IOException {
            Headroom headroom = Headroom.machine();
            MemorySource source = PooledSource.over(
                    MemfdSource.open("system", Syscalls.linux(), headroom),
                    "system",
                    Syscalls.linux(),
                    headroom,
                    PoolBudget.none().withRecycled(4 * SIZE));
            List<HeapBuffer> held = new ArrayList<>();
            takeAll(source, held, 4); // loads classes, for which memory may lack at the limit
            HeapBuffer kept = source.allocate(HeapRequest.of(SIZE).withExport(ExportMode.NONE));
            try {
                kept.descriptor();
            } catch (HeapException e) {
                report(0, e);
            }
            kept.release();
            source.trim(Long.MAX_VALUE);
            // The kernel withholds some memory from each process, depending on the used address space.
            long back = Long.parseLong(Files.readString(KEPT_BACK).strip());
            Files.writeString(COMMIT_LIMIT, Long.toString(((committed() + ROOM) >> 10) + back));
            Files.writeString(OVERCOMMIT, "2");
            String first = takeAll(source, held, 10_000);
            String unpromised = mapUnpromised();
            String second = takeAll(source, held, 10_000);
            Files.writeString(OVERCOMMIT, "0");
            System.out.println("greedy: " + first);
            System.out.println("greedy: " + second);
            System.out.println("greedy: " + unpromised);
            source.close();
            System.out.println("greedy: alive");
        }

        /** A page that the machine does not promise is ENOSPC for the kernel, and SIGBUS for an access. */
        private static String mapUnpromised() {
            int fd = new Memfd(Syscalls.linux()).createEmpty("system", 4 * ROOM);
            try {
                return "mapped " + new Mmap(Syscalls.linux()).map("system", fd, 4 * ROOM, Access.READ_WRITE);
            } catch (HeapException e) {
                return report(0, e);
            } finally {
                Syscalls.linux().close(fd);
            }
        }

        private static String takeAll(MemorySource source, List<HeapBuffer> held, int most) {
            try {
                while (held.size() < most) {
                    ExportMode mode = held.size() % 2 == 0 ? ExportMode.READ_WRITE : ExportMode.NONE;
                    HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE).withExport(mode));
                    held.add(buffer);
                    MemorySegment mapping = buffer.map(Access.READ_WRITE);
                    mapping.fill((byte) 0x5a);
                    buffer.unmap(mapping);
                }
                return held.size() + " buffers and no end";
            } catch (HeapException e) {
                return report(held.size(), e);
            } finally {
                held.forEach(HeapBuffer::release);
                held.clear();
            }
        }

        private static String report(int buffers, HeapException refusal) {
            return buffers + " buffers, then " + refusal.errno() + " " + refusal.getMessage();
        }

        private static long committed() throws IOException {
            for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
                if (line.startsWith("Committed_AS:")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
            throw new IOException("no Committed_AS in /proc/meminfo");
        }
    }

    @Test
    void the_largest_buffer_of_udmabuf_is_reported_with_the_file_that_sets_it() throws IOException {
        String before = Files.readString(SIZE_LIMIT);
        Files.writeString(SIZE_LIMIT, "1");
        try (UdmabufSource source = UdmabufSource.open("system", Syscalls.linux(), Headroom.machine())) {
            source.allocate(HeapRequest.of(1 << 20)).release();
            HeapException refusal =
                    assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of((1 << 20) + 1)));
            assertEquals(Errno.ENOMEM, refusal.errno()); // another heap can have room for it
            assertTrue(refusal.getMessage().contains("write 2 or more into " + SIZE_LIMIT), refusal.getMessage());
            Files.writeString(SIZE_LIMIT, "2");
            source.allocate(HeapRequest.of((1 << 20) + 1)).release();
        } finally {
            Files.writeString(SIZE_LIMIT, before);
        }
    }

    @Test
    void when_the_limit_was_lowered_meanwhile_the_kernel_refuses_and_the_remedy_is_the_same() throws IOException {
        String before = Files.readString(SIZE_LIMIT);
        try (UdmabufSource source = UdmabufSource.open("system", Syscalls.linux(), Headroom.machine())) {
            Files.writeString(SIZE_LIMIT, "1");
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(2 << 20)));
            assertEquals(Errno.EINVAL, refusal.errno());
            assertTrue(
                    refusal.getMessage().contains("its limit for one buffer is in " + SIZE_LIMIT),
                    refusal.getMessage());
        } finally {
            Files.writeString(SIZE_LIMIT, before);
        }
    }

    /** The guest's kernel has no mem_accounting, so a cgroup's limit does not apply to its heaps. */
    @Test
    void a_kernel_heap_s_memory_counts_against_the_machine_and_not_against_a_cgroup() throws Exception {
        Path cgroup = Path.of("/sys/fs/cgroup/dmaheap-test-uncharged");
        Files.createDirectory(cgroup);
        try {
            Files.writeString(cgroup.resolve("memory.max"), "209715200", StandardOpenOption.WRITE);
            Process process = new ProcessBuilder(
                            "sh",
                            "-c",
                            "echo $$ >" + cgroup.resolve("cgroup.procs") + " && exec \"$@\"",
                            "sh",
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "--enable-native-access=ALL-UNNAMED",
                            "-XX:+UseSerialGC",
                            "-XX:TieredStopAtLevel=1",
                            "-Xmx32m",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Uncharged.class.getName())
                    .redirectErrorStream(true)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, process.waitFor(), output);
            assertTrue(output.contains("dma-heap: 200 MiB\nmemfd: ENOMEM\n"), output);
        } finally {
            Files.delete(cgroup);
        }
    }

    /** Runs in that process. */
    static final class Uncharged {
        private static final long SIZE = 200 << 20;

        public static void main(String[] arguments) {
            Headroom headroom = Headroom.machine();
            MemorySource kernels = DmaHeapSource.open("system", "system", Syscalls.linux(), headroom);
            HeapBuffer buffer = kernels.allocate(HeapRequest.of(SIZE));
            System.out.println("dma-heap: " + buffer.size() / (1 << 20) + " MiB");
            try {
                MemfdSource.open("memfd", Syscalls.linux(), headroom).allocate(HeapRequest.of(SIZE));
                System.out.println("memfd: granted");
            } catch (HeapException e) {
                System.out.println("memfd: " + e.errno());
            }
            buffer.release();
        }
    }
}
