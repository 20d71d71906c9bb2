// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.RecordedBrokerEvents;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LeakDetectorTest {
    private static final long SIZE = 4096;

    private final BrokerParts broker = new BrokerParts();
    private final RegisteredHeap heap = broker.memfd("system");

    @BeforeEach
    void start() {
        broker.leaks.start();
        RecordedLog.clear();
    }

    @AfterEach
    void close() {
        broker.close();
    }

    /** Separate method, so that no stack frame keeps the buffer reachable. */
    private void lose(String name) {
        broker.allocate(AllocationRequest.of(SIZE).withName(name));
    }

    @Test
    void a_lost_buffer_is_released_and_reported() {
        lose("frame 7");

        Await.untilCollected("the release", () -> heap.account().buffers() == 0);

        assertEquals(0, heap.account().bytes());
        assertEquals(
                List.of(new RecordedBrokerEvents.Leaked("system", "org.example.camera", "frame 7", SIZE, "")),
                broker.events.leaks);
        String line = RecordedLog.lines().stream()
                .filter(logged -> logged.contains("frame 7"))
                .findFirst()
                .orElseThrow();
        assertTrue(line.contains("org.example.camera") && line.contains("allocation.sites"), line);
    }

    @Test
    void with_allocation_sites_enabled_a_leak_is_reported_with_the_site() {
        broker.ledger.keepSites(true);
        lose("frame 8");
        broker.ledger.keepSites(false);
        lose("frame 9");

        Await.untilCollected("two releases", () -> heap.account().buffers() == 0);

        assertTrue(site("frame 8").contains("org.junit."), site("frame 8")); // below the broker's own package
        assertEquals("", site("frame 9"));
    }

    private String site(String name) {
        return broker.events.leaks.stream()
                .filter(leak -> leak.name().equals(name))
                .findFirst()
                .orElseThrow()
                .site();
    }

    @Test
    void a_closed_or_taken_back_buffer_is_not_a_leak() {
        broker.allocate(SIZE).close();
        broker.allocate(SIZE);
        broker.client.stop("its bundle has stopped");
        Client other = new Client(broker.ledger.enter(BrokerParts.bundle("org.example.other")), broker.leaks);
        broker.allocator.allocate(other, AllocationRequest.of(SIZE).withName("lost after them"));

        Await.untilCollected("the one that is lost", () -> !broker.events.leaks.isEmpty());

        assertEquals(1, broker.events.leaks.size());
        assertEquals("lost after them", broker.events.leaks.getFirst().name());
    }

    @Test
    void a_leak_whose_report_fails_is_released_and_so_is_the_next() {
        broker.events.leakFails = true;
        lose("frame 10");
        Await.untilCollected("the release", () -> heap.account().buffers() == 0);
        broker.events.leakFails = false;
        lose("frame 11");
        Await.untilCollected("the release", () -> heap.account().buffers() == 0);

        assertEquals("frame 11", broker.events.leaks.getFirst().name());
    }

    private final AtomicLong now = new AtomicLong();
    private final LeakDetector clocked = new LeakDetector(now::get);

    private void report(String client, int times) {
        for (int i = 0; i < times; i++) {
            ClientAccount account =
                    accounts.computeIfAbsent(client, name -> new ClientAccount(BrokerParts.bundle(name)));
            clocked.report(account, buffer(account));
        }
    }

    private long leaked(String name) {
        return broker.monitor().usageByHeap().stream()
                .filter(record -> record.heap().orElseThrow().equals(name))
                .mapToLong(UsageRecord::leakedBuffers)
                .sum();
    }

    /** Creates a buffer that was never charged, and so need not be released. */
    private SharedBuffer buffer(ClientAccount account) {
        return new SharedBuffer(
                new FakeMemory(SIZE),
                SIZE,
                1,
                heap.description(),
                broker.ledger.charge(account, "", heap.account()),
                ExportMode.NONE,
                Optional.of("frame"),
                broker.services);
    }

    private final Map<String, ClientAccount> accounts = new HashMap<>();

    @Test
    void losses_in_a_loop_are_logged_as_a_few_lines_and_a_sum() {
        report("org.example.leaky", 6_600);
        report("org.example.other", 1);
        assertEquals(6_601, leaked(heap.name()));
        assertEquals(6, RecordedLog.lines().size());
        assertEquals(6, broker.events.leaks.size());
        now.addAndGet(TimeUnit.SECONDS.toNanos(60));
        report("org.example.leaky", 1);
        assertEquals(
                "WARN client org.example.leaky lost 6595 more buffers, 25.8 MiB, in the last 60 s without closing"
                        + " them; they are released",
                RecordedLog.lines().get(6));
        assertEquals(
                List.of(new RecordedBrokerEvents.LeakedMore("org.example.leaky", 6_595, 6_595 * SIZE)),
                broker.events.sums);
        assertEquals(8, RecordedLog.lines().size());
        assertEquals(7, broker.events.leaks.size());
    }

    @Test
    void counted_losses_are_logged_at_the_stop() {
        report("org.example.leaky", 7);
        clocked.stop();
        String sum = RecordedLog.lines().getLast();
        assertTrue(sum.startsWith("WARN client org.example.leaky lost 2 more buffers, 8 KiB"), sum);
    }

    @Test
    void names_that_do_not_print_are_escaped_in_the_report() {
        report("org.example\n\u001b[2J\u202e", 6);
        clocked.stop();
        String name = "client org.example\\u000a\\u001b[2J\\u202e lost";
        for (String line : RecordedLog.lines()) {
            assertTrue(line.contains(name) && line.lines().count() == 1, line);
        }
    }

    @Test
    void a_lost_reference_does_not_affect_its_duplicate() {
        DmaBuf duplicate = duplicateOfLost();

        Await.untilCollected("the leak", () -> broker.events.leaks.size() == 1);

        assertEquals(1, heap.account().buffers());
        assertEquals(SIZE, duplicate.size());
        duplicate.close();
        assertEquals(0, heap.account().buffers());
    }

    private DmaBuf duplicateOfLost() {
        return broker.allocate(SIZE).newReference();
    }

    @Test
    void a_lost_reference_does_not_affect_its_mapping() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pixels = mappingOfLost(arena);

            Await.untilCollected("the leak", () -> broker.events.leaks.size() == 1);

            pixels.set(ValueLayout.JAVA_BYTE, SIZE - 1, (byte) 0x5a);
            assertEquals(0x5a, pixels.get(ValueLayout.JAVA_BYTE, SIZE - 1));
            assertEquals(1, heap.account().buffers());
        }
        Await.until("the unmapping", () -> heap.account().buffers() == 0);
    }

    private MemorySegment mappingOfLost(Arena arena) {
        return broker.allocate(SIZE).map(Access.READ_WRITE, arena);
    }
}
