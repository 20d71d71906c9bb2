// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.MemfdSource;
import org.dmabuf.heap.linux.MemorySource;
import org.dmabuf.heap.linux.PoolBudget;
import org.dmabuf.heap.linux.PooledSource;
import org.dmabuf.heap.linux.Syscalls;
import org.junit.jupiter.api.Test;

/** A process of its own in a cgroup with a limit, whose client wants all the memory that there is and writes to it. */
class PressureTest {
    private static final long LIMIT = 320L << 20;

    /** A memory cgroup that was made here, of version 2 or 1. */
    private record Cgroup(Path folder, String limit, String killed) implements AutoCloseable {
        /** {@return one below this process's own or the nearest above it that permits it} */
        static Optional<Cgroup> make() throws IOException {
            for (String line : Files.readAllLines(Path.of("/proc/self/cgroup"))) {
                String[] parts = line.split(":", 3);
                Path top = Path.of(parts[1].isEmpty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
                if (!parts[1].isEmpty() && !List.of(parts[1].split(",")).contains("memory")) {
                    continue;
                }
                Path folder = top.resolve(parts[2].substring(1)).normalize();
                for (; folder != null && folder.startsWith(top); folder = folder.getParent()) {
                    Path mine = folder.resolve("dmaheap-test-" + ProcessHandle.current().pid());
                    Optional<Cgroup> made = parts[1].isEmpty()
                            ? make(mine, "memory.max", "memory.events")
                            : make(mine, "memory.limit_in_bytes", "memory.oom_control");
                    if (made.isPresent()) {
                        return made;
                    }
                }
            }
            return Optional.empty();
        }

        private static Optional<Cgroup> make(Path folder, String limit, String killed) {
            try {
                Files.createDirectory(folder);
            } catch (IOException e) {
                return Optional.empty();
            }
            try {
                Files.writeString(folder.resolve(limit), Long.toString(LIMIT));
                // A parent that has processes of its own lets nobody in.
                int entered = new ProcessBuilder("sh", "-c", "echo $$ >" + folder.resolve("cgroup.procs"))
                        .redirectErrorStream(true)
                        .start()
                        .waitFor();
                if (entered == 0) {
                    return Optional.of(new Cgroup(folder, limit, killed));
                }
            } catch (IOException e) {
                // The next one may permit it.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            folder.toFile().delete();
            return Optional.empty();
        }

        long kills() throws IOException {
            return Files.readAllLines(folder.resolve(killed)).stream()
                    .filter(line -> line.startsWith("oom_kill "))
                    .mapToLong(line -> Long.parseLong(line.substring("oom_kill ".length())))
                    .sum();
        }

        @Override
        public void close() throws IOException {
            Files.delete(folder);
        }
    }

    @Test
    void a_greedy_client_under_a_cgroups_limit_is_refused_and_the_process_lives() throws Exception {
        Optional<Cgroup> made = Cgroup.make();
        assumeTrue(made.isPresent(), "skipped: there is no memory cgroup in which this process may make one");
        try (Cgroup cgroup = made.get()) {
            Process process = new ProcessBuilder(
                            "sh",
                            "-c",
                            "echo $$ >" + cgroup.folder.resolve("cgroup.procs") + " && exec \"$@\"",
                            "sh",
                            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                            "--enable-native-access=ALL-UNNAMED",
                            "-XX:+UseSerialGC",
                            "-XX:TieredStopAtLevel=1",
                            "-Xmx32m",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Greedy.class.getName())
                    .redirectErrorStream(true)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, process.waitFor(), output);
            List<String> told =
                    output.lines().filter(line -> line.startsWith("greedy: ")).toList();
            assertEquals(Greedy.ROUNDS + 1, told.size(), output);
            for (String round : told.subList(0, Greedy.ROUNDS)) {
                assertTrue(
                        round.matches("greedy: [1-9]\\d* buffers of 1 MiB, then ENOMEM .*1 MiB do not fit: .* left of the"
                                + " limit in " + cgroup.folder.resolve(cgroup.limit) + " less a reserve of .*; ask for"
                                + " less, close buffers, or lower .*"),
                        output);
            }
            assertEquals("greedy: alive", told.getLast());
            assertEquals(0, cgroup.kills(), output);
        }
    }

    /** What that process does, on a heap with pools: what they hold must not be what kills it. */
    static final class Greedy {
        static final int ROUNDS = 3;
        private static final long SIZE = 1 << 20;

        public static void main(String[] arguments) {
            Headroom headroom = Headroom.machine();
            MemorySource source = PooledSource.over(
                    MemfdSource.open("system", Syscalls.linux(), headroom),
                    "system",
                    Syscalls.linux(),
                    headroom,
                    PoolBudget.none().prewarmed(SIZE, 16).recycled(16 * SIZE));
            try (BrokerParts broker = new BrokerParts()) {
                broker.heap("system", source, source.properties());
                for (int round = 0; round < ROUNDS; round++) {
                    System.out.println("greedy: " + takeAll(broker));
                }
            }
            source.close();
            System.out.println("greedy: alive");
        }

        private static String takeAll(BrokerParts broker) {
            List<Lease> held = new ArrayList<>();
            try (Arena arena = Arena.ofConfined()) {
                while (held.size() < 10 * LIMIT / SIZE) {
                    held.add(broker.allocate(
                            AllocationRequest.of(SIZE).exportable(held.size() % 2 == 0)));
                    // Each byte of it, now: what is promised must be there.
                    held.getLast().map(Access.READ_WRITE, arena).fill((byte) 0x5a);
                    if (held.getLast().map(Access.READ, arena).get(ValueLayout.JAVA_BYTE, SIZE - 1) != 0x5a) {
                        throw new AssertionError("a byte is gone");
                    }
                }
                return held.size() + " buffers of 1 MiB and no end";
            } catch (HeapException e) {
                return held.size() + " buffers of 1 MiB, then " + e.errno() + " "
                        + e.getMessage().replace('\n', ' ');
            } finally {
                held.forEach(Lease::close);
            }
        }
    }
}
