// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.dmabuf.heap.spi.HeapVerifier;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.jline.terminal.Terminal;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class VerifyCommandTest {
    private static final List<HeapVerifier.Check> GOOD = List.of(
            FakeCheck.passing("a_new_buffer_is_all_zero"),
            FakeCheck.skipped(
                    "a_buffer_maps", "heap.mappable=false: the CPU cannot read the memory, which a device has"));
    private static final List<HeapVerifier.Check> BAD = List.of(
            FakeCheck.failing("a_new_buffer_is_all_zero", "byte 7\n  is 0x01\u001b"),
            FakeCheck.passing("two_buffers_share_no_byte"));

    private final InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 1 << 20));
    private final Gogo gogo = new Gogo(broker);
    private final List<String> asked = new ArrayList<>();

    @AfterEach
    void close() {
        gogo.close();
        broker.close();
    }

    private Gogo with(List<HeapVerifier.Check> checks) {
        return gogo.with((heap, dynamics) -> {
            asked.add(heap + " " + dynamics);
            return checks;
        });
    }

    private String bundle() {
        return broker.heaps().getFirst().bundle();
    }

    @Test
    void each_case_is_a_sentence_and_a_skip_has_its_reason() throws Exception {
        assertEquals(
                "verifying heap 'system' of bundle " + bundle() + """
                    , 2 cases
                    passed   a new buffer is all zero
                    skipped  a buffer maps: heap.mappable=false: the CPU cannot read the memory,
                             which a device has
                    1 passed, 0 failed, 1 skipped\
                    """,
                with(GOOD).run("dmaheap:verify system"));
        assertEquals(List.of("system false"), asked);
    }

    @Test
    void a_failure_is_printed_and_fails_the_command_with_the_counts() {
        String refusal = with(BAD).refusal("dmaheap:verify --quiet system");
        assertEquals(
                "heap 'system' breaks the contract: 1 passed, 1 failed, 0 skipped; correct the heap, or do not use it",
                refusal);
        assertTrue(
                gogo.printed().contains("\nfailed   a new buffer is all zero: byte 7 is 0x01\\u001b\n1 passed"),
                gogo.printed());
    }

    @Test
    void a_restart_of_the_bundle_is_announced_with_its_heaps_before_the_first_case() throws Exception {
        String printed = with(List.of()).run("dmaheap:verify --dynamics system").replaceAll("\\s+", " ");
        assertTrue(
                printed.startsWith("verifying heap 'system' of bundle " + bundle()
                        + ", 0 cases; the bundle is stopped, started and updated, with its heaps system"),
                printed);
        assertEquals(List.of("system true"), asked);
    }

    @Test
    void json_is_one_value_and_a_failure_still_fails_the_command() throws Exception {
        assertEquals(
                "{\"heap\":\"system\",\"bundle\":\"" + bundle() + "\",\"passed\":1,\"skipped\":1,\"failed\":0,"
                        + "\"cases\":[{\"name\":\"a new buffer is all zero\",\"result\":\"passed\"},"
                        + "{\"name\":\"a buffer maps\",\"result\":\"skipped\",\"reason\":"
                        + "\"heap.mappable=false: the CPU cannot read the memory, which a device has\"}]}",
                with(GOOD).run("dmaheap:verify --json system"));
        with(BAD).refusal("dmaheap:verify --json system");
        assertTrue(gogo.printed().startsWith("{\"heap\":\"system\""), gogo.printed());
    }

    @Test
    void without_the_kit_and_for_an_unknown_heap_the_command_names_the_remedy() {
        assertEquals(
                "the verification of heap 'system' failed: the test kit is not installed; copy optional/heap-tck.jar"
                        + " to the folder deploy",
                gogo.refusal("dmaheap:verify system"));
        assertEquals("unknown heap 'sytem': expected one of system", gogo.refusal("dmaheap:verify sytem"));
    }

    @Test
    void ctrl_c_ends_it_after_the_present_case_and_a_second_session_has_to_wait() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        List<String> ran = new ArrayList<>();
        HeapVerifier.Check slow = new HeapVerifier.Check() {
            @Override
            public String name() {
                return "slow";
            }

            @Override
            public Optional<String> skipReason() {
                return Optional.empty();
            }

            @Override
            public Optional<String> failure() {
                ran.add("slow");
                running.countDown();
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                return Optional.of("interrupted");
            }
        };
        with(List.of(slow, slow));
        try (Terminal terminal = gogo.onTerminal()) {
            CompletableFuture<String> refusal = Gogo.meanwhile(() -> gogo.refusal("dmaheap:verify system"));
            running.await();
            assertEquals(
                    "the verification of heap 'system' failed: another session verifies a heap; repeat the command"
                            + " later",
                    gogo.refusalElsewhere("dmaheap:verify system"));
            terminal.raise(Terminal.Signal.INT);
            assertEquals("dmaheap:verify was interrupted; the shell's buffers are unchanged", refusal.get());
        }
        assertEquals(List.of("slow"), ran);
        assertFalse(gogo.printed().contains("failed"), gogo.printed());
    }
}
