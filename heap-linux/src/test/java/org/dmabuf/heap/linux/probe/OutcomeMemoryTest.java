// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.HeapFacts;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class OutcomeMemoryTest {
    private static final String DEVICE = "/dev/video1";
    private static final long FRAME = 614_400;
    private static final String FORMAT = "640x480 YUYV";
    private static final ProbeOutcome EFAULT = ProbeOutcome.refused("PREPARE_BUF", Errno.EFAULT.number());
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-11-27T10:00:00Z"));

    @TempDir
    private Path root;

    private FakeSysfs sysfs;
    private final AtomicInteger changes = new AtomicInteger();
    private OutcomeMemory memory;

    @BeforeEach
    void open() {
        sysfs = new FakeSysfs(root).withVideo("vivid");
        reopen();
    }

    private Path file() {
        return root.resolve("outcomes.txt");
    }

    private void reopen() {
        memory = OutcomeMemory.open(Optional.of(file()), CLOCK, changes::incrementAndGet);
    }

    private DeviceEntry entry() {
        return DeviceEntry.of(root, DEVICE).orElseThrow();
    }

    private static DmaBuf buffer(String heap, Map<String, Object> facts) {
        Map<String, Object> properties = new HashMap<>(Map.of(HeapProperties.NAME, heap, HeapProperties.DMABUF, true));
        properties.putAll(facts);
        return (DmaBuf) Proxy.newProxyInstance(
                OutcomeMemoryTest.class.getClassLoader(),
                new Class<?>[] {DmaBuf.class},
                (_, method, _) -> switch (method.getName()) {
                    case "heapName" -> heap;
                    case "heapProperties" -> properties;
                    default -> throw new AssertionError(method);
                });
    }

    private static DmaBuf pieces(String heap) {
        return buffer(heap, Map.of());
    }

    private static DmaBuf run(String heap) {
        return buffer(heap, Map.of(HeapProperties.CONTIGUOUS_MAX, 2L << 20));
    }

    private void remember(DmaBuf buffer, ProbeOutcome outcome) {
        memory.remember(entry(), buffer, FRAME, FORMAT, outcome);
    }

    private List<String> demands() {
        return memory.demands(DEVICE, entry()).stream().map(Demand::toString).toList();
    }

    @Test
    void a_refusal_and_a_copy_exclude_their_heaps_also_after_a_restart() {
        remember(pieces("system"), EFAULT);
        remember(pieces("folio"), ProbeOutcome.bounced(FRAME));
        List<String> expected = List.of(
                "/dev/video1 not-heap=system PREPARE_BUF refused its memory with EFAULT on 2026-11-27, 640x480 YUYV,"
                        + " 614400 bytes",
                "/dev/video1 not-heap=folio the kernel copies 614400 bytes for each transfer on 2026-11-27,"
                        + " 640x480 YUYV, 614400 bytes");
        assertEquals(expected, demands());
        reopen();
        assertEquals(expected, demands());
        assertEquals(2, changes.get());
    }

    @Test
    void refused_pieces_and_an_accepted_run_show_that_the_device_needs_one_run() {
        remember(run("contig"), ProbeOutcome.accepted(false));
        assertEquals(List.of(), demands());
        remember(pieces("system"), EFAULT);
        assertEquals(
                "/dev/video1 sg=contiguous pieces of heap system were refused with EFAULT, and one run of heap contig"
                        + " was accepted on 2026-11-27, 640x480 YUYV, 614400 bytes",
                demands().getLast());
        reopen();
        assertEquals(2, demands().size());
    }

    @Test
    void an_answer_to_another_size_error_or_kind_of_memory_does_not_show_that() {
        remember(pieces("system"), EFAULT);
        memory.remember(entry(), run("contig"), FRAME * 2, FORMAT, ProbeOutcome.accepted(true));
        memory.remember(entry(), run("contig"), FRAME, "320x960 YUYV", ProbeOutcome.accepted(true));
        remember(pieces("other"), ProbeOutcome.accepted(true));
        remember(run("mapped-later"), ProbeOutcome.attached());
        assertEquals(1, demands().size());
        memory.forget(entry());
        remember(pieces("system"), ProbeOutcome.refused("PREPARE_BUF", Errno.EINVAL.number()));
        remember(run("contig"), ProbeOutcome.accepted(true));
        assertEquals(1, demands().size());
    }

    @Test
    void emulated_contiguous_memory_is_in_pieces() {
        remember(pieces("system"), EFAULT);
        remember(
                buffer("cma", Map.of(HeapProperties.CONTIGUOUS, true, HeapProperties.EMULATES, "contiguous")),
                ProbeOutcome.accepted(true));
        assertEquals(1, demands().size());
    }

    @Test
    void an_acceptance_does_not_end_an_exclusion() {
        remember(pieces("system"), EFAULT);
        List<String> before = demands();
        remember(pieces("system"), ProbeOutcome.accepted(true));
        assertEquals(before, demands(), "another buffer was one run by chance");
        assertEquals(1, changes.get());
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"EBUSY", "EINTR", "ENOMEM", "ENFILE", "EMFILE", "EAGAIN", "ENOSPC", "ENODEV"})
    void a_failure_that_passes_changes_nothing(Errno errno) {
        remember(pieces("system"), EFAULT);
        remember(pieces("system"), ProbeOutcome.refused("PREPARE_BUF", errno.number()));
        remember(pieces("other"), ProbeOutcome.refused("PREPARE_BUF", errno.number()));
        assertEquals(1, demands().size());
        assertTrue(demands().getFirst().contains("EFAULT"));
        assertEquals(1, changes.get());
    }

    @Test
    void an_answer_that_repeats_is_no_change() {
        remember(pieces("system"), EFAULT);
        remember(pieces("system"), EFAULT);
        assertEquals(1, changes.get());
        assertEquals(1, demands().size());
    }

    @Test
    void a_descriptor_that_is_no_dmabuf_proves_nothing() {
        remember(buffer("system", Map.of(HeapProperties.DMABUF, false)), EFAULT);
        assertEquals(List.of(), demands());
    }

    @Test
    void a_heap_is_excluded_whatever_characters_its_name_has() {
        for (String heap : List.of("linux,cma", "any", "kamera-ü", "%2C")) {
            memory.forget(entry());
            remember(pieces(heap), EFAULT);
            reopen();
            Demand demand = memory.demands(DEVICE, entry()).getFirst();
            assertFalse(demand.value().isMetBy(HeapFacts.of(Map.of(HeapProperties.NAME, heap)), FRAME), heap);
            assertTrue(demand.value().isMetBy(HeapFacts.of(Map.of(HeapProperties.NAME, "other")), FRAME), heap);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "proc/sys/kernel/osrelease",
                "sys/module/vivid/parameters/allocators",
                "sys/module/vivid/srcversion"
            })
    void an_outcome_ends_with_the_kernel_and_the_state_of_the_driver(String file) throws IOException {
        remember(pieces("system"), EFAULT);
        String before = Files.readString(root.resolve(file)).strip();
        sysfs.write(file, "7");
        assertEquals(List.of(), demands());
        sysfs.write(file, before);
        assertEquals(1, demands().size());
    }

    @Test
    void an_outcome_ends_with_the_driver_and_the_other_device_has_its_own() {
        remember(pieces("system"), EFAULT);
        assertEquals(
                List.of(),
                memory.demands(
                        "/dev/video0", DeviceEntry.of(root, "/dev/video0").orElseThrow()));
        sysfs.withVideo("uvcvideo");
        assertEquals(List.of(), demands());
    }

    @Test
    void forgetting_ends_all_outcomes_of_the_device_only() {
        DeviceEntry other = DeviceEntry.of(root, "/dev/video0").orElseThrow();
        memory.remember(other, pieces("system"), FRAME, FORMAT, EFAULT);
        remember(pieces("system"), EFAULT);
        sysfs.write("proc/sys/kernel/osrelease", "6.13");
        remember(pieces("system"), EFAULT);
        assertEquals(2, memory.forget(entry()));
        assertEquals(0, memory.forget(entry()));
        assertEquals(4, changes.get());
        reopen();
        assertEquals(1, memory.forget(other));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "a\tb\tc", "\0\0\0\0", "\ud800"})
    void a_damaged_line_is_left_out(String damage) throws IOException {
        remember(pieces("system"), EFAULT);
        String text = Files.readString(file());
        String line = text.lines().toList().getLast();
        Files.writeString(
                file(),
                text + damage.replace('\ud800', '?') + "\n" + line.replace("614400", "many") + "\n"
                        + line.replace("refused 14", "refused 0") + "\n" + line.replace("2026-11-27", "2026-13-27")
                        + "\n"
                        + line.replace("\tsystem\t", "\t\t") + "\n"
                        + line.substring(0, line.length() - 3));
        reopen();
        assertEquals(1, demands().size());
    }

    @Test
    void a_file_that_is_none_of_ours_or_cannot_be_written_is_no_failure() throws IOException {
        Files.write(file(), new byte[4 << 20]);
        reopen();
        assertEquals(List.of(), demands());
        memory = OutcomeMemory.open(Optional.of(root.resolve("absent/folder/file")), CLOCK, changes::incrementAndGet);
        remember(pieces("system"), EFAULT);
        assertEquals(1, demands().size());
        memory = OutcomeMemory.open(Optional.empty(), CLOCK, changes::incrementAndGet);
        remember(pieces("system"), EFAULT);
        assertEquals(1, demands().size());
    }

    @Test
    void the_number_of_outcomes_is_bounded_and_the_oldest_goes() throws IOException {
        DeviceEntry entry = entry();
        memory = OutcomeMemory.open(Optional.empty(), CLOCK, changes::incrementAndGet);
        for (int i = 0; i <= OutcomeMemory.MOST; i++) {
            memory.remember(entry, pieces("heap-" + i), FRAME, FORMAT, EFAULT);
        }
        List<String> demands = demands();
        assertEquals(OutcomeMemory.MOST, demands.size());
        assertFalse(demands.getFirst().contains("heap-0 "));
    }

    @Test
    void a_name_with_control_characters_stays_on_its_line() {
        memory.remember(entry(), pieces("system"), FRAME, "640x480 A\tB\n", EFAULT);
        reopen();
        assertEquals(1, demands().size());
        memory.remember(entry(), pieces("system"), FRAME, "640x480 A\tB\n", EFAULT);
        assertEquals(1, changes.get(), "it has the same key");
    }
}
