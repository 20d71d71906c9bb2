// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
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
    @Test
    void a_greedy_client_under_a_cgroups_limit_is_refused_and_the_process_lives() throws Exception {
        Optional<MemoryCgroup> made = MemoryCgroup.make();
        assumeTrue(made.isPresent(), "skipped: there is no memory cgroup in which this process may make one");
        try (MemoryCgroup cgroup = made.get()) {
            List<String> told = cgroup.run(Greedy.class);
            assertEquals(Greedy.ROUNDS + 1, told.size(), told::toString);
            for (String round : told.subList(0, Greedy.ROUNDS)) {
                assertTrue(
                        round.matches("[1-9]\\d* buffers of 1 MiB, then ENOMEM .*1 MiB do not fit: .* left of the"
                                + " limit in " + cgroup.folder().resolve(cgroup.limit())
                                + " less a reserve of .*; ask for less, close buffers, or lower .*"),
                        round);
            }
            assertEquals("alive", told.getLast());
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
                    System.out.println(MemoryCgroup.TOLD + takeAll(broker));
                }
            }
            source.close();
            System.out.println(MemoryCgroup.TOLD + "alive");
        }

        private static String takeAll(BrokerParts broker) {
            List<Lease> held = new ArrayList<>();
            try (Arena arena = Arena.ofConfined()) {
                while (held.size() < 10 * MemoryCgroup.LIMIT / SIZE) {
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
