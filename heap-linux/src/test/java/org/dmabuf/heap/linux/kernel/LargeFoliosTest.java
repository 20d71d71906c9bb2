// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.source.HeldFiles;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Tests of the calls for large folios on a kernel that gives each of its answers. The memory is the running kernel's,
 * on small pages, because the fake answers each collapse itself.
 */
class LargeFoliosTest {
    private static final long FOLIO = 2 << 20;
    private static final long SIZE = 4 * FOLIO;
    private static final int MADV_HUGEPAGE = 14;
    private static final int MADV_COLLAPSE = 25;
    private static final int SEALS = Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_GROW | Memfd.F_SEAL_SEAL;

    /** Answers to the next collapses; 0 after the last. */
    private final Deque<Integer> collapses = new ArrayDeque<>();
    /** Answer to each touch of a page before a collapse; null asks the kernel. */
    private Integer touch;
    /** Answers to the next ftruncate calls; later ones ask the kernel. */
    private final Deque<Integer> truncations = new ArrayDeque<>();

    private final List<String> calls = new ArrayList<>();
    private long mapped;
    private long mappedBytes;
    private long nanos;
    private long nanosOfACollapse;
    /** Whether each collapse moves other memory. */
    private boolean moving;

    private long moves;
    private boolean withoutSpace;
    private HeldFiles before;

    private final Syscalls syscalls = (Syscalls) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                Object answer = answer(method.getName(), arguments);
                if (answer != null) {
                    return answer;
                }
                try {
                    Object result = method.invoke(Syscalls.linux(), arguments);
                    if (method.getName().equals("mmap") && (int) arguments[4] >= 0) {
                        mapped = (long) result;
                        mappedBytes = (long) arguments[1];
                    }
                    return result;
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });

    @TempDir
    private Path settings;

    @BeforeEach
    void the_kernel_has_large_folios() throws IOException {
        Files.writeString(settings.resolve("hpage_pmd_size"), FOLIO + "\n");
        Files.writeString(settings.resolve("shmem_enabled"), "always within_size advise [never] deny force\n");
        count(0);
        before = new HeldFiles();
    }

    /** Sets the kernel's count of the times that it moved memory. */
    private void count(long moves) throws IOException {
        Files.writeString(statistics(), "compact_fail 7\ncompact_stall " + moves + "\ncompact_success 7\n");
    }

    private Path statistics() {
        return settings.resolve("vmstat");
    }

    @AfterEach
    void nothing_is_left_behind() {
        Thread.interrupted();
        before.assertNothingLeft();
    }

    private Object answer(String call, Object[] arguments) throws IOException {
        switch (call) {
            case "madvise" -> {
                int advice = (int) arguments[2];
                String extent = ((long) arguments[0] - mapped) / FOLIO + "";
                if (advice == MADV_COLLAPSE) {
                    assertEquals(0, (long) arguments[0] % FOLIO);
                    calls.add("collapse " + extent);
                    nanos += nanosOfACollapse;
                    if (moving) {
                        count(++moves);
                    }
                    Integer answer = collapses.poll();
                    return answer == null ? 0 : answer;
                }
                if ((long) arguments[1] == Bytes.PAGE && advice == Mmap.MADV_POPULATE_WRITE && touch != null) {
                    calls.add("touch " + extent);
                    return touch;
                }
                calls.add(
                        advice == MADV_HUGEPAGE
                                ? "advise " + Bytes.text((long) arguments[1])
                                : "populate " + Bytes.text((long) arguments[1]));
            }
            case "mmap" -> {
                if (withoutSpace && (long) arguments[1] > FOLIO) {
                    return (long) -Errno.ENOMEM.number();
                }
            }
            case "ftruncate" -> {
                calls.add("ftruncate " + Bytes.text((long) arguments[1]));
                return truncations.poll();
            }
            case "fallocate" -> calls.add("fallocate " + Bytes.text((long) arguments[3]));
            default -> {}
        }
        return null;
    }

    private LargeFolios folios() {
        return new LargeFolios("camera", syscalls, settings, statistics(), () -> nanos);
    }

    /** Makes a memfd, checks that it is complete, sealed and of the right size, and closes it. */
    private long inLargeFolios(LargeFolios folios, long size) {
        calls.clear();
        NewMemfd made = new Memfd(syscalls).create("camera", "frame", size, Memfd.F_SEAL_SEAL, folios);
        Syscalls linux = Syscalls.linux();
        try {
            assertEquals(size, linux.size(made.fd()));
            assertEquals(size, linux.allocated(made.fd()));
            assertEquals(SEALS, linux.fcntl(made.fd(), Memfd.F_GET_SEALS, 0) & SEALS);
            return made.inLargeFolios();
        } finally {
            linux.close(made.fd());
        }
    }

    private long count(String call) {
        return calls.stream().filter(one -> one.startsWith(call)).count();
    }

    @Test
    void each_extent_is_touched_once_and_collapsed_before_any_other_page_exists() {
        String touch = "populate " + Bytes.text(Bytes.PAGE);
        assertEquals(SIZE, inLargeFolios(folios(), SIZE));
        assertEquals(
                List.of(
                        "ftruncate 8 MiB",
                        touch,
                        "collapse 0",
                        touch,
                        "collapse 1",
                        touch,
                        "collapse 2",
                        touch,
                        "collapse 3",
                        "fallocate 8 MiB"),
                calls);
    }

    @Test
    void a_buffer_below_a_folio_is_made_as_without_large_folios() {
        assertEquals(0, inLargeFolios(folios(), FOLIO - Bytes.PAGE));
        assertEquals(List.of("fallocate 2.0 MiB"), calls);
    }

    @Test
    void a_kernel_without_large_folios_is_not_asked() throws IOException {
        Files.delete(settings.resolve("hpage_pmd_size"));
        assertEquals(0, inLargeFolios(folios(), SIZE));
        assertEquals(List.of("fallocate 8 MiB"), calls);
    }

    /** A folio that is larger than the rest would be charged in full for a moment. */
    @ParameterizedTest
    @ValueSource(longs = {1, -1})
    void the_rest_above_the_last_whole_folio_has_small_pages_and_the_memfd_is_never_larger_than_the_buffer(long pages) {
        long rest = Math.floorMod(pages * Bytes.PAGE, FOLIO);
        assertEquals(SIZE, inLargeFolios(folios(), SIZE + rest));
        assertEquals(4, count("collapse"));
        assertEquals("ftruncate " + Bytes.text(SIZE + rest), calls.getFirst());
        assertEquals(1, count("ftruncate"));
        assertEquals(SIZE + rest, mappedBytes);
    }

    @Test
    void an_extent_in_use_is_tried_three_times_and_then_has_small_pages() {
        int busy = -Errno.EAGAIN.number();
        collapses.addAll(List.of(busy, busy, 0, busy, busy, busy));
        LargeFolios folios = folios();
        assertEquals(SIZE - FOLIO, inLargeFolios(folios, SIZE));
        assertEquals(3, count("collapse 0"));
        assertEquals(3, count("collapse 1"));
        assertEquals(1, count("collapse 2"));
        assertEquals(SIZE, inLargeFolios(folios, SIZE));
    }

    @Test
    void at_the_limit_of_the_cgroup_the_buffer_is_refused_and_no_other_page_is_made() {
        collapses.addAll(List.of(0, -Errno.EBUSY.number()));
        LargeFolios folios = folios();
        HeapException refusal = assertThrows(HeapException.class, () -> inLargeFolios(folios, SIZE));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                "heap 'camera': 8 MiB does not fit: the memory cgroup of this process has reached its limit; ask for"
                        + " less, close buffers, or raise the limit (memory.max, MemoryMax= in a unit)",
                refusal.getMessage());
        assertEquals(2, count("populate"));
        assertEquals(0, count("fallocate"));
        before.assertNothingLeft();
        assertEquals(SIZE, inLargeFolios(folios, SIZE), "a later request finds memory");
    }

    @ParameterizedTest
    @EnumSource(names = {"ENOMEM", "EINVAL", "EFAULT"})
    void after_a_failure_the_rest_has_small_pages_and_so_have_the_buffers_of_ten_seconds(Errno errno) {
        collapses.addAll(List.of(0, -errno.number()));
        LargeFolios folios = folios();
        assertEquals(FOLIO, inLargeFolios(folios, SIZE));
        assertEquals(2, count("collapse"));
        nanos += TimeUnit.SECONDS.toNanos(10) - 1;
        assertEquals(0, inLargeFolios(folios, SIZE));
        assertEquals(List.of("fallocate 8 MiB"), calls);
        nanos++;
        assertEquals(SIZE, inLargeFolios(folios, SIZE));
    }

    /** A fault's ENOSPC, at the strictest overcommit, is EFAULT here. */
    @Test
    void the_reason_of_a_failed_touch_is_left_to_fallocate() {
        touch = -Errno.EFAULT.number();
        assertEquals(0, inLargeFolios(folios(), SIZE));
        assertEquals(List.of("ftruncate 8 MiB", "touch 0", "fallocate 8 MiB"), calls);
    }

    @Test
    void the_kernel_moves_memory_for_ten_milliseconds_and_one_more_for_each_folio() {
        moving = true;
        nanosOfACollapse = TimeUnit.MILLISECONDS.toNanos(7) + 1;
        LargeFolios folios = folios();
        assertEquals(3 * FOLIO, inLargeFolios(folios, SIZE), "the first does not count");
        assertEquals(3 * FOLIO, inLargeFolios(folios, SIZE), "that is not a failure");
        nanosOfACollapse = TimeUnit.MILLISECONDS.toNanos(14) / 2;
        assertEquals(SIZE, inLargeFolios(folios, SIZE));
        nanosOfACollapse = TimeUnit.MILLISECONDS.toNanos(1);
        assertEquals(64 * FOLIO, inLargeFolios(folios, 64 * FOLIO), "clearing takes as long");
    }

    /** A virtual machine may have to get the memory from its host. That takes as long for small pages. */
    @Test
    void slow_memory_has_no_time_limit() {
        nanosOfACollapse = TimeUnit.SECONDS.toNanos(1);
        LargeFolios folios = folios();
        assertEquals(SIZE, inLargeFolios(folios, SIZE));
        assertEquals(SIZE, inLargeFolios(folios, SIZE));
    }

    /** The kernel counts for the whole machine. */
    @Test
    void moves_of_memory_before_a_buffer_are_not_charged_to_it() throws IOException {
        nanosOfACollapse = TimeUnit.SECONDS.toNanos(1);
        LargeFolios folios = folios();
        for (int buffer = 0; buffer < 3; buffer++) {
            count(++moves);
            assertEquals(SIZE, inLargeFolios(folios, SIZE));
        }
    }

    @Test
    void a_kernel_that_does_not_count_may_have_moved_memory() throws IOException {
        Files.delete(statistics());
        nanosOfACollapse = TimeUnit.MILLISECONDS.toNanos(7) + 1;
        assertEquals(2 * FOLIO, inLargeFolios(folios(), SIZE));
    }

    @Test
    void a_kernel_that_refuses_is_reported_once_with_the_settings_to_check() {
        int refused = -Errno.EINVAL.number();
        LargeFolios folios = folios();
        List<String> lines = RecordedLog.of(LargeFolios.class, () -> {
            for (int i = 0; i < 3; i++) {
                collapses.add(refused);
                assertEquals(0, inLargeFolios(folios, SIZE));
                nanos += TimeUnit.SECONDS.toNanos(11);
            }
        });
        assertEquals(
                List.of("heap 'camera': the kernel refuses large folios (EINVAL), so that buffers of 2 MiB and more"
                        + " take longer to make; they need Linux 6.1, a shmem_enabled in"
                        + " /sys/kernel/mm/transparent_hugepage that is not deny, a hugepages-2048kB/shmem_enabled"
                        + " there that is not never, and a process with THP_enabled: 1 in /proc/self/status"),
                lines);
    }

    /** At the strictest overcommit, a kernel with large folios also answers so when memory is short. */
    @Test
    void a_kernel_that_has_made_a_large_folio_is_not_reported() {
        LargeFolios folios = folios();
        collapses.addAll(List.of(0, -Errno.EINVAL.number()));
        assertEquals(List.of(), RecordedLog.of(LargeFolios.class, () -> inLargeFolios(folios, SIZE)));
    }

    @Test
    void without_address_space_for_the_alignment_the_buffer_has_small_pages() {
        withoutSpace = true;
        assertEquals(0, inLargeFolios(folios(), SIZE));
        assertEquals(List.of("fallocate 8 MiB"), calls);
    }

    @Test
    void without_a_length_the_buffer_has_small_pages() {
        truncations.add(-Errno.ENOMEM.number());
        assertEquals(0, inLargeFolios(folios(), SIZE));
        assertEquals(List.of("ftruncate 8 MiB", "fallocate 8 MiB"), calls);
    }

    @Test
    void an_interrupt_ends_the_allocation_after_a_piece_and_not_before() {
        long large = 192 << 20;
        Thread.currentThread().interrupt();
        HeapException refusal = assertThrows(HeapException.class, () -> inLargeFolios(folios(), large));
        assertTrue(Thread.interrupted());
        assertEquals(Errno.EINTR, refusal.errno());
        assertEquals("heap 'camera': interrupted after 64 MiB of 192 MiB; nothing is held", refusal.getMessage());
        assertEquals(32, count("collapse"));
        assertEquals(0, count("fallocate"));
    }

    // Settings for smaller folios.

    private void set(String size, String setting) throws IOException {
        Path folder = Files.createDirectories(settings.resolve("hugepages-" + size + "kB"));
        Files.writeString(folder.resolve("shmem_enabled"), setting);
    }

    @ParameterizedTest
    @ValueSource(strings = {"always inherit within_size [advise] never", "always inherit [within_size] advise never"})
    void a_smaller_buffer_is_touched_under_the_advice_if_a_setting_permits_it(String setting) throws IOException {
        set("16", "always inherit within_size advise [never]");
        set("64", setting);
        LargeFolios folios = folios();
        assertEquals(0, inLargeFolios(folios, 64 << 10));
        assertEquals(List.of("ftruncate 64 KiB", "advise 64 KiB", "populate 64 KiB", "fallocate 64 KiB"), calls);
        assertEquals(0, mapped % (64 << 10));
        long less = (64 << 10) - Bytes.PAGE;
        inLargeFolios(folios, less);
        assertEquals(List.of("fallocate " + Bytes.text(less)), calls);
    }

    @Test
    void an_inherited_setting_is_the_global_one() throws IOException {
        set("64", "always [inherit] within_size advise never");
        inLargeFolios(folios(), 64 << 10);
        assertEquals(List.of("fallocate 64 KiB"), calls);
        Files.writeString(settings.resolve("shmem_enabled"), "always within_size [advise] never deny force\n");
        inLargeFolios(folios(), 64 << 10);
        assertEquals(1, count("advise"));
    }

    @Test
    void with_a_setting_the_rest_of_a_large_buffer_has_smaller_folios() throws IOException {
        set("64", "always inherit within_size [advise] never");
        assertEquals(SIZE, inLargeFolios(folios(), SIZE + FOLIO / 2));
        assertEquals(4, count("collapse"));
        assertEquals(
                List.of("advise 1 MiB", "populate 1 MiB", "fallocate 9 MiB"),
                calls.subList(calls.size() - 3, calls.size()));
    }

    @Test
    void during_the_pause_the_advice_is_still_given() throws IOException {
        set("64", "always inherit within_size [advise] never");
        LargeFolios folios = folios();
        collapses.add(-Errno.ENOMEM.number());
        inLargeFolios(folios, SIZE);
        inLargeFolios(folios, SIZE);
        assertEquals(List.of("ftruncate 8 MiB", "advise 8 MiB", "populate 8 MiB", "fallocate 8 MiB"), calls);
    }

    @Test
    void nothing_is_collapsed_after_fallocate() {
        LargeFolios folios = folios();
        for (long size = FOLIO; size < 4 * FOLIO; size += FOLIO / 4) {
            inLargeFolios(folios, size);
            assertTrue(calls.indexOf("fallocate " + Bytes.text(size)) > lastCollapse(), calls::toString);
        }
    }

    private int lastCollapse() {
        return Collections.max(calls.stream()
                .filter(call -> call.startsWith("collapse"))
                .map(calls::lastIndexOf)
                .toList());
    }
}
