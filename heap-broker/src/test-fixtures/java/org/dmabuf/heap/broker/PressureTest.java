// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of a separate process in a cgroup with a limit, whose client allocates and writes all available memory. */
class PressureTest {
    @Test
    void a_greedy_client_under_a_cgroups_limit_is_refused_and_the_process_lives() throws Exception {
        Optional<MemoryCgroup> made = MemoryCgroup.make();
        assumeTrue(made.isPresent(), "skipped: this process may not create a memory cgroup");
        try (MemoryCgroup cgroup = made.get()) {
            assertRefusedBy(cgroup, cgroup.limit(), cgroup.run(Greedy.class));
        }
    }

    static void assertRefusedBy(MemoryCgroup cgroup, String file, List<String> lines) {
        assertEquals(Greedy.ROUNDS + 1, lines.size(), lines::toString);
        for (String round : lines.subList(0, Greedy.ROUNDS)) {
            assertTrue(
                    round.matches("[1-9]\\d* buffers of 1 MiB, then ENOMEM .*1 MiB does not fit: .* left of the limit"
                            + " in "
                            + cgroup.folder().resolve(file)
                            + ".* less a reserve of .*; ask for less, close buffers, .*or lower .*"),
                    round);
        }
        assertEquals("alive", lines.getLast());
    }

    /** In the namespace the cgroup's path is "/", while the mount shows the whole tree. */
    @Test
    void a_greedy_client_in_a_separate_cgroup_namespace_is_refused_and_the_process_lives() throws Exception {
        assumeTrue(
                new ProcessBuilder("unshare", "-C", "true").start().waitFor() == 0,
                "skipped: this process may make no cgroup namespace");
        Optional<MemoryCgroup> made = MemoryCgroup.make();
        assumeTrue(made.isPresent(), "skipped: this process may not create a memory cgroup");
        try (MemoryCgroup cgroup = made.get()) {
            Path procs = cgroup.folder().resolve("cgroup.procs");
            List<String> lines = cgroup.run("echo $$ >" + procs + " && exec unshare -C \"$@\"", Greedy.class);
            assertRefusedBy(cgroup, cgroup.limit(), lines);
        }
    }

    @Test
    void a_greedy_client_of_a_process_that_was_moved_after_its_start_is_refused_and_the_process_lives()
            throws Exception {
        Optional<MemoryCgroup> made = MemoryCgroup.make();
        assumeTrue(made.isPresent(), "skipped: this process may not create a memory cgroup");
        try (MemoryCgroup cgroup = made.get()) {
            Path procs = cgroup.folder().resolve("cgroup.procs");
            assertRefusedBy(cgroup, cgroup.limit(), cgroup.run("exec \"$@\"", Greedy.class, procs.toString()));
        }
    }

    /** This process or a peer can allocate punched pages again at any time. */
    @ParameterizedTest
    @ValueSource(strings = {"memfd", "carveout", "emulated-cma"})
    void memory_that_a_peer_punched_is_not_granted_again(String exporter) throws Exception {
        Optional<MemoryCgroup> made = MemoryCgroup.make();
        assumeTrue(made.isPresent(), "skipped: this process may not create a memory cgroup");
        try (MemoryCgroup cgroup = made.get()) {
            assertEquals(
                    List.of("refused beside live buffers", "refused beside lingering buffers", "alive"),
                    cgroup.run(Punched.class, exporter));
        }
    }

    /** The kernel refuses a large folio at the limit, where an access to another page would end the process. */
    @Test
    void at_a_cgroups_limit_that_the_headroom_does_not_know_a_large_buffer_is_refused_and_the_process_lives()
            throws Exception {
        assumeTrue(
                Files.exists(Path.of("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")),
                "skipped: this kernel has no large folios");
        Optional<MemoryCgroup> made = MemoryCgroup.make();
        assumeTrue(made.isPresent(), "skipped: this process may not create a memory cgroup");
        try (MemoryCgroup cgroup = made.get()) {
            List<String> lines = cgroup.run(Unaware.class);
            assertEquals(Unaware.ROUNDS + 1, lines.size(), lines::toString);
            for (String round : lines.subList(0, Unaware.ROUNDS)) {
                assertTrue(
                        round.matches("[1-9]\\d* buffers of 16 MiB, then ENOMEM heap 'system': 16 MiB does not fit: the"
                                + " memory cgroup of this process has reached its limit; ask for less, .*"),
                        round);
            }
            assertEquals("alive", lines.getLast());
        }
    }

    /** Program of that process. Its source knows only the limits of the machine. */
    static final class Unaware {
        static final int ROUNDS = 3;
        private static final long SIZE = 16 << 20;

        public static void main(String[] arguments) {
            MemorySource source = MemfdSource.open(
                    "system", Syscalls.linux(), Headroom.machine().uncharged());
            for (int round = 0; round < ROUNDS; round++) {
                System.out.println(MemoryCgroup.LINE_PREFIX + takeAll(source));
            }
            System.out.println(MemoryCgroup.LINE_PREFIX + "alive");
        }

        private static String takeAll(MemorySource source) {
            List<HeapBuffer> held = new ArrayList<>();
            HeapException refusal = null;
            try {
                while (held.size() < 10 * MemoryCgroup.LIMIT / SIZE) {
                    held.add(source.allocate(HeapRequest.of(SIZE)));
                }
            } catch (HeapException e) {
                refusal = e;
            }
            int count = held.size();
            held.forEach(HeapBuffer::release); // first, because the text needs memory
            return count + " buffers of 16 MiB, then "
                    + (refusal == null ? "no end" : refusal.errno() + " " + refusal.getMessage());
        }
    }

    /** Program of that process. It acts as its own peer, through another descriptor. */
    static final class Punched {
        private static final long SIZE = 10 << 20;
        private static final int BUFFERS = 10;
        private static final int PUNCH_HOLE_KEEP_SIZE = 0x3;

        public static void main(String[] arguments) {
            MemorySource source = open(arguments[0]);
            try (BrokerParts broker = new BrokerParts()) {
                HeapAccount account =
                        broker.heap("exporter", source, source.properties()).account();
                broker.memfd("system");
                List<BufferReference> exported = new ArrayList<>();
                List<OwnedFd> peer = new ArrayList<>();
                for (int i = 0; i < BUFFERS; i++) {
                    exported.add(broker.allocate(
                            AllocationRequest.of(SIZE).withHeaps("exporter").withEmulations("contiguous")));
                    peer.add(exported.getLast().exportFd());
                }
                punch(peer);
                try (Arena arena = Arena.ofConfined()) {
                    List<BufferReference> others = takeAll(broker, arena);
                    exported.forEach(
                            reference -> reference.map(Access.READ_WRITE, arena).fill((byte) 1));
                    System.out.println(MemoryCgroup.LINE_PREFIX + "refused beside live buffers");
                    others.forEach(BufferReference::close);
                }
                exported.forEach(BufferReference::close);
                account.reaper().settle(Long.MAX_VALUE / 2 + System.nanoTime());
                punch(peer);
                try (Arena arena = Arena.ofConfined()) {
                    List<BufferReference> others = takeAll(broker, arena);
                    Mappings mmap = new Mappings(Syscalls.linux());
                    peer.forEach(
                            fd -> mmap.map(fd, SIZE, Access.READ_WRITE, arena).fill((byte) 1));
                    System.out.println(MemoryCgroup.LINE_PREFIX + "refused beside lingering buffers");
                    others.forEach(BufferReference::close);
                }
                peer.forEach(OwnedFd::close);
            }
            System.out.println(MemoryCgroup.LINE_PREFIX + "alive");
        }

        /** Opens a source. The regions of this test export memfds instead of dma-bufs of their ranges. */
        private static MemorySource open(String exporter) {
            RegionLayout.Exports memfd = RegionLayout.Exports.MEMFD;
            Syscalls linux = Syscalls.linux();
            Headroom headroom = Headroom.machine();
            return switch (exporter) {
                case "memfd" -> MemfdSource.open("exporter", linux, headroom);
                case "carveout" ->
                    RegionSource.open(
                            "exporter", RegionLayout.of(BUFFERS * SIZE, "size").withExports(memfd), linux, headroom);
                case "emulated-cma" ->
                    EmulatedCmaSource.open(
                            "exporter",
                            RegionLayout.of(2 * BUFFERS * SIZE, "size")
                                    .withAlignmentCap(1 << 20)
                                    .withExports(memfd),
                            linux,
                            headroom);
                default -> throw new IllegalArgumentException(exporter);
            };
        }

        private static void punch(List<OwnedFd> peer) {
            for (OwnedFd fd : peer) {
                if (Syscalls.linux().fallocate(fd.fd(), PUNCH_HOLE_KEEP_SIZE, 0, SIZE) != 0) {
                    throw new AssertionError("the peer cannot punch");
                }
            }
        }

        /** Allocates buffers until the first refusal, and touches each of their bytes. */
        private static List<BufferReference> takeAll(BrokerParts broker, Arena arena) {
            List<BufferReference> held = new ArrayList<>();
            try {
                while (held.size() < 10 * MemoryCgroup.LIMIT / SIZE) {
                    held.add(broker.allocate(AllocationRequest.of(SIZE).withHeaps("system")));
                    held.getLast().map(Access.READ_WRITE, arena).fill((byte) 0x5a);
                }
            } catch (HeapException e) {
                return held;
            }
            throw new AssertionError("no end");
        }
    }

    /** Program of that process, on a heap with pools. Pooled memory must not cause the kill. */
    static final class Greedy {
        static final int ROUNDS = 3;
        private static final long SIZE = 1 << 20;

        /** @param arguments the list of processes of a cgroup that this one enters after its start, or nothing */
        public static void main(String[] arguments) throws IOException {
            Headroom headroom = Headroom.machine();
            if (arguments.length > 0 && headroom.available() > 0) { // reads the cgroup before the move
                Files.writeString(
                        Path.of(arguments[0]),
                        Long.toString(ProcessHandle.current().pid()),
                        StandardOpenOption.WRITE);
            }
            MemorySource source = PooledSource.over(
                    MemfdSource.open("system", Syscalls.linux(), headroom),
                    "system",
                    Syscalls.linux(),
                    headroom,
                    PoolBudget.none().withPrewarmed(SIZE, 16).withRecycled(16 * SIZE));
            try (BrokerParts broker = new BrokerParts()) {
                broker.heap("system", source, source.properties());
                for (int round = 0; round < ROUNDS; round++) {
                    System.out.println(MemoryCgroup.LINE_PREFIX + takeAll(broker));
                }
            }
            source.close();
            System.out.println(MemoryCgroup.LINE_PREFIX + "alive");
        }

        private static String takeAll(BrokerParts broker) {
            List<BufferReference> held = new ArrayList<>();
            try (Arena arena = Arena.ofConfined()) {
                while (held.size() < 10 * MemoryCgroup.LIMIT / SIZE) {
                    held.add(broker.allocate(AllocationRequest.of(SIZE)
                            .withExport(held.size() % 2 == 0 ? ExportMode.READ_WRITE : ExportMode.NONE)));
                    // Touches each byte now: granted memory must be available.
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
                held.forEach(BufferReference::close);
            }
        }
    }
}
