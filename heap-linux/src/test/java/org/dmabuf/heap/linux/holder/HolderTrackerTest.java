// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.FailingLog;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.secret.MadeUpSecrets;
import org.dmabuf.heap.linux.socket.HolderProcess;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests with the kernel's memfds. A dma-buf is represented by a memfd whose count of holders a test sets. */
class HolderTrackerTest {
    private static final long SIZE = 8192;
    private static final long DMA_BUF_MAGIC = 0x444d4142;
    private static final int IN_Q_OVERFLOW = 0x4000;

    /** The running kernel, with some results set by the test. */
    private static final class Kernel implements HolderCalls {
        private final HolderCalls linux = HolderCalls.linux();
        final AtomicInteger inotify = new AtomicInteger();
        final AtomicInteger eventfd = new AtomicInteger();
        final AtomicInteger addWatch = new AtomicInteger();
        final AtomicInteger await = new AtomicInteger();
        /** Number of the next reads of inotify that return {@code fault}: an error, or 0 for an overflow. */
        final AtomicInteger faults = new AtomicInteger();

        volatile int fault;
        volatile int instance = -1;
        volatile boolean fdinfoFails;
        volatile boolean fdinfoIsCut;
        volatile boolean locksFail;
        volatile boolean locksAreCut;
        volatile boolean locksAreOff;
        /** Number of the next lists of locks that are empty. */
        final AtomicInteger locksLack = new AtomicInteger();
        /** Whether each read of inotify returns one more end; {@code flooded} counts these reads. */
        volatile boolean floods;

        final AtomicInteger flooded = new AtomicInteger();
        /** Number of signals to the thread, and of its waits for nothing but a signal or the end of a short time. */
        final AtomicInteger signals = new AtomicInteger();

        final AtomicInteger pauses = new AtomicInteger();
        /** Whether the thread waits for events of inotify. */
        volatile boolean listens;

        /** Whether the thread gets signals and no events from its waits. */
        volatile boolean deaf;

        /** The count that fdinfo shows; null for the kernel's own. */
        volatile String count;

        final AtomicInteger asked = new AtomicInteger();
        /** Number of the next answer with count 1 that is replaced by an error; 0 for none. */
        final AtomicInteger errorOnEnd = new AtomicInteger();

        @Override
        public int inotify() {
            return inotify.get() != 0 ? inotify.get() : (instance = linux.inotify());
        }

        @Override
        public int addWatch(int inotify, String path, int mask) {
            return addWatch.get() != 0 ? addWatch.get() : linux.addWatch(inotify, path, mask);
        }

        @Override
        public int removeWatch(int inotify, int watch) {
            return linux.removeWatch(inotify, watch);
        }

        /** {@return calls with the results that this test sets} */
        Syscalls over(Syscalls others) {
            return (Syscalls) Proxy.newProxyInstance(
                    HolderTrackerTest.class.getClassLoader(),
                    new Class<?>[] {Syscalls.class},
                    (_, method, arguments) -> switch (method.getName()) {
                        case "eventfd" -> eventfd.get() != 0 ? eventfd.get() : method.invoke(others, arguments);
                        case "poll" -> {
                            if (1 == (int) arguments[2] && secondFile((long) arguments[0]) < 0) {
                                pauses.incrementAndGet();
                            }
                            int answer = await.getAndSet(0);
                            listens = secondFile((long) arguments[0]) == instance;
                            arguments[1] = deaf ? 1 : arguments[1]; // the first file is the signal
                            yield answer != 0 ? answer : method.invoke(others, arguments);
                        }
                        case "write" -> {
                            signals.incrementAndGet();
                            yield method.invoke(others, arguments);
                        }
                        case "read" -> read((int) arguments[0], (long) arguments[1], (long) arguments[2], others);
                        default -> method.invoke(others, arguments);
                    });
        }

        @SuppressWarnings("restricted") // sets the size of memory of this process
        private static int secondFile(long polled) {
            return MemorySegment.ofAddress(polled).reinterpret(16).get(JAVA_INT, 8);
        }

        @SuppressWarnings("restricted") // sets the size of memory of this process
        private long read(int fd, long address, long length, Syscalls others) {
            MemorySegment into = MemorySegment.ofAddress(address).reinterpret(length);
            if (floods && fd == instance) {
                flooded.incrementAndGet();
                into.asSlice(0, 16).fill((byte) 0).set(JAVA_INT, 0, Integer.MAX_VALUE);
                return 16;
            }
            if (fd != instance || faults.getAndUpdate(left -> Math.max(0, left - 1)) == 0) {
                return others.read(fd, address, length);
            }
            if (fault != 0) {
                return fault;
            }
            while (others.read(fd, address, length) > 0) {
                // discards the event
            }
            into.asSlice(0, 16).fill((byte) 0).set(JAVA_INT, 0, -1);
            into.set(JAVA_INT, 4, IN_Q_OVERFLOW);
            return 16;
        }

        @Override
        public String fdinfo(int fd) throws IOException {
            asked.incrementAndGet();
            if ("count:\t1\n".equals(count) && errorOnEnd.getAndUpdate(left -> Math.max(0, left - 1)) == 1) {
                throw new OutOfMemoryError("thrown by the test");
            }
            if (fdinfoFails) {
                throw withoutDescriptors();
            }
            String text = count == null || fd == instance ? linux.fdinfo(fd) : "size:\t8192\n" + count;
            return fdinfoIsCut ? text.substring(0, text.indexOf("inotify wd:") + 5) : text;
        }

        private static HeapException withoutDescriptors() {
            return HeapException.of(Errno.EMFILE, "open failed: too many open files");
        }

        @Override
        public int lock(int fd) {
            return linux.lock(fd);
        }

        @Override
        public String locks() throws IOException {
            asked.incrementAndGet();
            if (locksFail) {
                throw withoutDescriptors();
            }
            if (locksLack.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                return "";
            }
            String all = linux.locks();
            return locksAreCut ? all.substring(0, all.length() - 1) : locksAreOff ? "" : all;
        }
    }

    private final Syscalls syscalls = Syscalls.linux();
    private final Kernel kernel = new Kernel();
    private final HolderTracker holders = new HolderTracker(new HolderTable(kernel.over(syscalls), kernel));
    private final AtomicInteger gone = new AtomicInteger();

    @TempDir
    Path folder;

    private List<String> before;

    @BeforeAll
    static void initialize_classes_of_the_first_use() throws IOException {
        Syscalls syscalls = Syscalls.linux();
        try (HolderTracker warm = new HolderTracker();
                OwnedFd fd = memfd(syscalls)) {
            HolderWatch watch = warm.watch("warm", SIZE, fd.fd());
            watch.whenGone(() -> fail("it is held"));
        }
        descriptors();
    }

    @BeforeEach
    void count() throws IOException {
        before = descriptors();
    }

    @AfterEach
    void nothing_is_left() throws IOException {
        holders.close();
        assertEquals(before, descriptors());
        assertEquals(List.of(), threads());
    }

    @Test
    void memory_without_other_holders_is_released_with_its_owner_and_without_a_thread() {
        OwnedFd fd = memfd(syscalls);
        HolderWatch watch = watch(fd);
        fd.close();
        watch.whenGone(gone::incrementAndGet);
        assertEquals(1, gone.get());
        assertEquals(List.of(), threads());
    }

    @Test
    void a_mapping_alone_holds_memory() {
        try (Arena arena = Arena.ofConfined()) {
            OwnedFd fd = memfd(syscalls);
            new Mappings(syscalls).map(fd, SIZE, Access.READ, arena);
            HolderWatch watch = watch(fd);
            fd.close();
            watch.whenGone(gone::incrementAndGet);
            letEventsPass(holders);
            assertEquals(0, gone.get());
        }
        await("gone", () -> gone.get() == 1);
    }

    @ParameterizedTest
    @CsvSource({
        "descriptor, exit",
        "mapping, exit",
        "message, exit",
        "descriptor, kill",
        "mapping, kill",
        "message, kill"
    })
    void another_process_holds_until_it_ends(String how, String end) throws IOException {
        OwnedFd fd = memfd(syscalls);
        HolderWatch watch = watch(fd);
        try (HolderProcess holder = HolderProcess.start(folder, how, fd, SIZE)) {
            fd.close();
            watch.whenGone(gone::incrementAndGet);
            letEventsPass(holders);
            assertEquals(0, gone.get());
            if (end.equals("exit")) {
                holder.exit();
            } else {
                holder.kill();
            }
            await("gone", () -> gone.get() == 1);
        }
    }

    @Test
    void a_thousand_watches_are_reported_once_each() throws IOException {
        List<OwnedFd> held = new ArrayList<>();
        AtomicInteger[] reports = new AtomicInteger[1000];
        for (int i = 0; i < reports.length; i++) {
            AtomicInteger mine = reports[i] = new AtomicInteger();
            OwnedFd fd = memfd(syscalls);
            held.add(OwnedFd.of(syscalls.fcntl(fd.fd(), 1030, 0), syscalls::close));
            HolderWatch watch = watch(fd);
            fd.close();
            watch.whenGone(mine::incrementAndGet);
            if (i % 3 == 0) {
                held.removeFirst().close();
            }
        }
        for (AtomicInteger one : reports) {
            assertTrue(one.get() <= 1);
        }
        held.forEach(OwnedFd::close);
        for (AtomicInteger one : reports) {
            await("reported", () -> one.get() == 1);
        }
        assertFalse(kernel.fdinfo(kernel.instance).contains("inotify wd:"), "watches are left");
    }

    @Test
    void a_thread_that_waits_for_the_kernels_events_is_not_signalled_for_more_memory() {
        OwnedFd first = memfd(syscalls);
        OwnedFd second = memfd(syscalls);
        watch(first).whenGone(gone::incrementAndGet);
        await("the wait", () -> kernel.listens);
        int signals = kernel.signals.get();
        watch(second).whenGone(gone::incrementAndGet);
        assertEquals(signals, kernel.signals.get());
        first.close();
        second.close();
        await("both", () -> gone.get() == 2);
    }

    @Test
    void the_thread_pauses_after_an_end_so_that_the_next_ends_wake_it_once() {
        OwnedFd fd = memfd(syscalls);
        watch(fd).whenGone(gone::incrementAndGet);
        assertEquals(0, kernel.pauses.get());
        fd.close();
        await("the pause", () -> kernel.pauses.get() == 1);
        assertEquals(1, gone.get());
    }

    @Test
    void each_look_finds_memory_that_has_ended_even_if_the_thread_has_not_noticed() {
        kernel.deaf = true;
        for (int i = 0; i < 10; i++) {
            OwnedFd fd = memfd(syscalls);
            watch(fd).whenGone(gone::incrementAndGet);
            assertEquals(i, holders.look());
            fd.close();
            assertEquals(i + 1, holders.look());
        }
    }

    @Test
    void after_another_thread_has_lost_events_the_thread_looks_for_ends_by_the_clock() {
        kernel.deaf = true;
        OwnedFd lost = memfd(syscalls);
        watch(lost).whenGone(gone::incrementAndGet);
        await("the wait", () -> kernel.listens);
        kernel.fdinfoFails = true;
        kernel.faults.set(1);
        lost.close();
        assertEquals(0, holders.look());
        kernel.fdinfoFails = false;
        await("gone", () -> gone.get() == 1);
    }

    /** More events than the kernel queues. The test reads none of them before all have occurred. */
    @Test
    void ends_that_an_overflow_of_the_kernels_queue_hides_are_found() throws IOException {
        int queue = Integer.parseInt(Files.readString(Path.of("/proc/sys/fs/inotify/max_queued_events"))
                .strip());
        assertTrue(
                queue <= 65_536,
                "a queue of " + queue + " events takes too much memory to fill; lower"
                        + " fs.inotify.max_queued_events to 16384 for the test");
        OwnedFd held = memfd(syscalls);
        HolderWatch holds = watch(held);
        List<HolderWatch> watches = new ArrayList<>();
        for (int i = 0; i < queue / 2 + 100; i++) { // two events each
            try (OwnedFd fd = memfd(syscalls)) {
                watches.add(watch(fd));
            }
        }
        AtomicInteger others = new AtomicInteger();
        holds.whenGone(others::incrementAndGet);
        watches.forEach(watch -> watch.whenGone(gone::incrementAndGet));
        assertEquals(watches.size(), gone.get());
        assertEquals(0, others.get());
        held.close();
        await("the last", () -> others.get() == 1);
    }

    @Test
    void after_lost_events_the_kernels_list_of_watches_decides() {
        OwnedFd lost = memfd(syscalls);
        OwnedFd held = memfd(syscalls);
        HolderWatch lostWatch = watch(lost);
        AtomicInteger others = new AtomicInteger();
        watch(held).whenGone(others::incrementAndGet);
        kernel.faults.set(1);
        lost.close();
        lostWatch.whenGone(gone::incrementAndGet);
        await("gone", () -> gone.get() == 1);
        letEventsPass(holders);
        assertEquals(0, others.get());
        held.close();
        await("the other", () -> others.get() == 1);
        assertEquals(1, gone.get());
    }

    @Test
    void while_the_list_cannot_be_read_all_memory_counts_as_held_and_the_read_is_repeated() {
        for (boolean cut : new boolean[] {false, true}) {
            gone.set(0);
            OwnedFd lost = memfd(syscalls);
            OwnedFd held = memfd(syscalls);
            HolderWatch watch = watch(lost);
            HolderWatch other = watch(held);
            kernel.fdinfoFails = !cut;
            kernel.fdinfoIsCut = cut;
            kernel.faults.set(1);
            lost.close();
            watch.whenGone(gone::incrementAndGet);
            int before = kernel.asked.get();
            await("asked again", () -> kernel.asked.get() > before + 1);
            assertEquals(0, gone.get());
            kernel.fdinfoFails = false;
            kernel.fdinfoIsCut = false;
            await("gone", () -> gone.get() == 1);
            other.close();
            held.close();
        }
    }

    @Test
    void a_signal_delays_nothing_and_half_an_event_loses_nothing() {
        for (int fault : new int[] {-Errno.EINTR.number(), 8, -Errno.EIO.number()}) {
            gone.set(0);
            OwnedFd fd = memfd(syscalls);
            HolderWatch watch = watch(fd);
            kernel.fault = fault;
            kernel.faults.set(1);
            kernel.await.set(-Errno.EINTR.number());
            fd.close();
            watch.whenGone(gone::incrementAndGet);
            await("gone in spite of " + fault, () -> gone.get() == 1);
        }
    }

    @Test
    void a_wait_that_the_kernel_refuses_is_tried_again() {
        OwnedFd fd = memfd(syscalls);
        kernel.await.set(-Errno.ENOMEM.number());
        watch(fd).whenGone(gone::incrementAndGet);
        await("the refusal", () -> kernel.await.get() == 0);
        fd.close();
        await("gone", () -> gone.get() == 1);
    }

    @Test
    void a_limit_of_the_system_is_reported_with_its_remedy_and_leaks_nothing() {
        OwnedFd fd = memfd(syscalls);
        refused(kernel.eventfd, Errno.EMFILE, "ulimit -n", fd);
        refused(kernel.inotify, Errno.EMFILE, "fs.inotify.max_user_instances", fd);
        refused(kernel.addWatch, Errno.ENOSPC, "fs.inotify.max_user_watches", fd);
        refused(kernel.addWatch, Errno.ENOMEM, "close buffers", fd);
        HolderWatch watch = watch(fd);
        fd.close();
        watch.whenGone(gone::incrementAndGet);
        assertEquals(1, gone.get());
    }

    private void refused(AtomicInteger call, Errno errno, String remedy, OwnedFd fd) {
        call.set(-errno.number());
        HeapException refusal = assertThrows(HeapException.class, () -> watch(fd));
        call.set(0);
        assertEquals(errno, refusal.errno());
        assertTrue(refusal.getMessage().startsWith("heap 'camera': "), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("8 KiB"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(remedy), refusal.getMessage());
    }

    @ParameterizedTest
    @EnumSource(names = {"EPERM", "EACCES", "ENOSYS"})
    void a_sandbox_is_reported_with_its_remedy_and_leaks_nothing(Errno errno) {
        OwnedFd fd = memfd(syscalls);
        refused(kernel.eventfd, errno, "permit eventfd2 in SystemCallFilter=", fd);
        refused(kernel.inotify, errno, "permit inotify_init1 in SystemCallFilter=", fd);
        refused(kernel.addWatch, errno, "permit inotify_add_watch in SystemCallFilter=", fd);
        fd.close();
    }

    @Test
    void memory_that_is_neither_memfd_nor_dma_buf_cannot_be_tracked() {
        try (OwnedFd device = OwnedFd.of(syscalls.open("/dev/null", 0), syscalls::close)) {
            HeapException refusal = assertThrows(HeapException.class, () -> watch(device));
            assertEquals(Errno.ENOTSUP, refusal.errno());
            assertTrue(refusal.getMessage().contains("neither memfd nor dma-buf"), refusal.getMessage());
        }
    }

    /** The kernel would report its end when its name is removed, even if it still has holders. */
    @Test
    void a_file_with_a_name_is_not_a_memfd_although_it_is_in_memory() throws IOException {
        Path memory = Path.of("/dev/shm");
        assumeTrue(Files.isWritable(memory), "skipped: there is no /dev/shm to write to");
        Path named = Files.createTempFile(memory, "peers-test", "");
        try (OwnedFd fd = OwnedFd.of(syscalls.open(named.toString(), 2), syscalls::close)) {
            HeapException refusal = assertThrows(HeapException.class, () -> watch(fd));
            assertEquals(Errno.ENOTSUP, refusal.errno());
            assertTrue(refusal.getMessage().contains("neither memfd nor dma-buf"), refusal.getMessage());
        } finally {
            Files.delete(named);
        }
    }

    @Test
    void reading_ends_while_other_threads_close() {
        OwnedFd fd = memfd(syscalls);
        HolderWatch watch = watch(fd);
        kernel.floods = true;
        watch.whenGone(gone::incrementAndGet); // the call would not return
        await("the thread reads", () -> kernel.flooded.get() > 100);
        kernel.floods = false;
        fd.close();
        await("gone", () -> gone.get() == 1);
    }

    @ParameterizedTest
    @CsvSource({
        "descriptor, exit",
        "mapping, exit",
        "message, exit",
        "descriptor, kill",
        "mapping, kill",
        "message, kill"
    })
    void another_process_holds_secret_memory_until_it_ends(String how, String end) throws IOException {
        OwnedFd fd = secret();
        HolderWatch watch = watch(fd);
        try (HolderProcess holder = HolderProcess.start(folder, how, fd, SIZE)) {
            fd.close();
            watch.whenGone(gone::incrementAndGet);
            int asked = kernel.asked.get();
            await("asked again", () -> kernel.asked.get() > asked + 1);
            assertEquals(0, gone.get());
            if (end.equals("exit")) {
                holder.exit();
            } else {
                holder.kill();
            }
            await("gone", () -> gone.get() == 1);
        }
    }

    @Test
    void secret_memory_without_other_holders_is_released_at_once_for_all_watches() {
        OwnedFd fd = secret();
        HolderWatch one = watch(fd);
        HolderWatch other = watch(fd);
        HolderWatch dropped = watch(fd);
        dropped.close();
        dropped.whenGone(() -> fail("closed"));
        fd.close();
        one.whenGone(gone::incrementAndGet);
        other.whenGone(gone::incrementAndGet);
        assertEquals(2, gone.get());
        assertEquals(List.of(), threads());
    }

    @Test
    void secret_memory_counts_as_held_while_the_list_of_locks_cannot_be_read() {
        OwnedFd fd = secret();
        HolderWatch watch = watch(fd);
        OwnedFd held = secret(); // so that the list is long enough to be truncated
        HolderWatch other = watch(held);
        kernel.locksAreCut = true;
        fd.close();
        watch.whenGone(gone::incrementAndGet);
        kernel.locksFail = true;
        int asked = kernel.asked.get();
        await("asked again", () -> kernel.asked.get() > asked + 1);
        assertEquals(0, gone.get());
        kernel.locksFail = false;
        kernel.locksAreCut = false;
        await("gone", () -> gone.get() == 1);
        other.whenGone(gone::incrementAndGet);
        assertEquals(1, gone.get());
        held.close();
        await("the other", () -> gone.get() == 2);
    }

    @Test
    void secret_memory_counts_as_held_if_only_one_list_of_locks_lacks_it() {
        OwnedFd fd = secret();
        kernel.locksLack.set(2);
        HolderWatch watch = watch(fd);
        assertEquals(0, kernel.locksLack.get());
        kernel.locksLack.set(2);
        watch.whenGone(gone::incrementAndGet);
        assertEquals(0, kernel.locksLack.get());
        assertEquals(0, gone.get());
        fd.close();
        await("gone", () -> gone.get() == 1);
    }

    @Test
    void secret_memory_cannot_be_watched_if_its_lock_is_not_listed() {
        try (OwnedFd fd = secret()) {
            kernel.locksAreOff = true;
            HeapException refusal = assertThrows(HeapException.class, () -> watch(fd));
            assertEquals(Errno.ENOTSUP, refusal.errno());
            assertTrue(refusal.getMessage().contains("/proc/locks"), refusal.getMessage());
        }
    }

    @Test
    void a_dma_buf_is_held_until_the_trackers_descriptor_is_the_only_one() {
        try (HolderTracker counted = counted()) {
            OwnedFd fd = memfd(syscalls);
            kernel.count = "count:\t2\n";
            HolderWatch watch = counted.watch("camera", SIZE, fd.fd());
            fd.close();
            watch.whenGone(gone::incrementAndGet);
            int asked = kernel.asked.get();
            await("asked again", () -> kernel.asked.get() > asked + 1);
            assertEquals(0, gone.get());
            kernel.fdinfoFails = true;
            int failed = kernel.asked.get();
            await("asked without a change", () -> kernel.asked.get() > failed + 1);
            assertEquals(0, gone.get(), "unknown memory counts as held");
            kernel.fdinfoFails = false;
            kernel.count = "count:\t1\nexp_name:\tsystem\n";
            await("gone", () -> gone.get() == 1);
        }
    }

    @Test
    void a_look_on_a_shortage_does_not_wait_for_the_next_interval() {
        try (HolderTracker counted = counted()) {
            OwnedFd fd = memfd(syscalls);
            kernel.count = "count:\t2\n";
            HolderWatch watch = counted.watch("camera", SIZE, fd.fd());
            fd.close();
            watch.whenGone(gone::incrementAndGet);
            int asked = kernel.asked.get();
            await("asked at long intervals", () -> kernel.asked.get() > asked + 3);
            assertEquals(0, counted.look());
            int looked = kernel.asked.get();
            for (int i = 0; i < 1000; i++) {
                counted.look();
            }
            assertTrue(kernel.asked.get() - looked < 500, "an answer stays valid for a while");
            kernel.count = "count:\t1\n";
            while (counted.look() == 0) {
                Thread.onSpinWait(); // the last answer may still be valid
            }
            assertEquals(1, gone.get());
            assertEquals(1, counted.ended());
        }
    }

    /** The kernel shows a dma-buf's name with the bytes that a holder gave it. */
    @Test
    void any_bytes_of_fdinfo_can_be_read() throws IOException {
        Path shown = folder.resolve("fdinfo");
        Files.write(shown, "count:\t1\nname:\t\u00e9\n".getBytes(StandardCharsets.ISO_8859_1));
        assertEquals("count:\t1\nname:\t\u00e9\n", ProcFile.read(shown).orElseThrow());
    }

    @Test
    void the_name_of_a_dma_buf_cannot_forge_a_count() {
        try (HolderTracker counted = counted()) {
            OwnedFd fd = memfd(syscalls);
            kernel.count = "count:\t2\nexp_name:\tsystem\nname:\t\u00e9\ncount:\t1\n\n";
            HolderWatch watch = counted.watch("camera", SIZE, fd.fd());
            fd.close();
            watch.whenGone(gone::incrementAndGet);
            int asked = kernel.asked.get();
            await("asked again", () -> kernel.asked.get() > asked + 1);
            assertEquals(0, gone.get());
            kernel.count = "count:\t1\nexp_name:\tsystem\nname:\t\u00e9\ncount:\t2\n\n";
            await("gone", () -> gone.get() == 1);
        }
    }

    @Test
    void all_watches_of_one_dma_buf_use_one_descriptor() throws IOException {
        HolderTable table = countedTable();
        try (HolderTracker broker = new HolderTracker(table);
                HolderTracker carveout = new HolderTracker(table);
                OwnedFd fd = memfd(syscalls)) {
            kernel.count = "count:\t2\n";
            int descriptors = descriptors().size();
            HolderWatch one = broker.watch("camera", SIZE, fd.fd());
            assertEquals(descriptors + 2, descriptors().size(), "the memory's and the event counter");
            HolderWatch other = carveout.watch("camera", SIZE, fd.fd());
            assertEquals(descriptors + 2, descriptors().size());
            one.whenGone(gone::incrementAndGet);
            kernel.count = "count:\t1\n";
            other.whenGone(gone::incrementAndGet);
            assertEquals(2, gone.get());
            assertEquals(descriptors + 1, descriptors().size());
        }
    }

    @Test
    void a_closed_watch_does_not_affect_another() {
        HolderTable table = new HolderTable(kernel.over(syscalls), kernel);
        try (HolderTracker stays = new HolderTracker(table)) {
            OwnedFd fd = memfd(syscalls);
            HolderWatch watch = stays.watch("camera", SIZE, fd.fd());
            HolderTracker leaves = new HolderTracker(table);
            leaves.watch("camera", SIZE, fd.fd()).whenGone(() -> fail("closed"));
            leaves.watch("camera", SIZE, fd.fd()).close();
            leaves.close();
            leaves.close();
            assertThrows(IllegalStateException.class, () -> leaves.watch("camera", SIZE, fd.fd()));
            watch.whenGone(gone::incrementAndGet);
            assertEquals(0, gone.get());
            fd.close();
            await("gone", () -> gone.get() == 1);
        }
    }

    @Test
    void a_kernel_without_counts_is_detected_before_the_export() throws IOException {
        try (HolderTracker counted = counted();
                OwnedFd fd = memfd(syscalls)) {
            kernel.count = "";
            HeapException refusal = assertThrows(HeapException.class, () -> counted.watch("camera", SIZE, fd.fd()));
            assertEquals(Errno.ENOTSUP, refusal.errno());
            assertTrue(refusal.getMessage().contains("/proc"), refusal.getMessage());
        }
    }

    @Test
    void a_lack_of_descriptors_is_reported_as_such_and_not_as_an_old_kernel() throws IOException {
        try (HolderTracker counted = counted();
                OwnedFd fd = memfd(syscalls);
                OwnedFd secret = secret()) {
            kernel.fdinfoFails = true;
            for (HeapException refusal : List.of(
                    assertThrows(HeapException.class, () -> counted.watch("camera", SIZE, fd.fd())),
                    assertThrows(HeapException.class, () -> holders.watch("camera", SIZE, secret.fd())))) {
                assertEquals(Errno.EMFILE, refusal.errno());
                assertEquals(Optional.of("camera"), refusal.heap());
                assertTrue(refusal.getMessage().contains("LimitNOFILE="), refusal.getMessage());
            }
            kernel.fdinfoFails = false;
            kernel.locksFail = true;
            HeapException refusal = assertThrows(HeapException.class, () -> holders.watch("camera", SIZE, secret.fd()));
            assertEquals(Errno.EMFILE, refusal.errno());
        }
    }

    @Test
    void the_callback_of_a_closed_watch_never_runs() {
        OwnedFd fd = memfd(syscalls);
        HolderWatch before = watch(fd);
        HolderWatch after = watch(fd);
        before.close();
        before.whenGone(() -> fail("closed before"));
        after.whenGone(() -> fail("closed after"));
        after.close();
        after.close();
        holders.close();
        HolderWatch[] late = new HolderWatch[1];
        assertThrows(IllegalStateException.class, () -> late[0] = watch(fd));
        fd.close();
    }

    @Test
    void the_end_of_the_owners_use_can_be_reported_only_once() {
        try (OwnedFd fd = memfd(syscalls)) {
            HolderWatch watch = watch(fd);
            watch.whenGone(() -> {});
            assertThrows(IllegalStateException.class, () -> watch.whenGone(() -> {}));
        }
    }

    @Test
    void a_throwing_callback_and_a_throwing_log_prevent_no_other_callback() {
        try (FailingLog log = new FailingLog(DueCallbacks.class, true)) {
            List<HolderWatch> watches = new ArrayList<>();
            try (Arena arena = Arena.ofConfined()) {
                for (int i = 0; i < 3; i++) {
                    OwnedFd fd = memfd(syscalls);
                    new Mappings(syscalls).map(fd, SIZE, Access.READ, arena);
                    watches.add(watch(fd));
                    fd.close();
                }
                watches.forEach(watch -> watch.whenGone(() -> {
                    gone.incrementAndGet();
                    throw new IllegalStateException("thrown by the test");
                }));
            }
            await("all three", () -> gone.get() == 3);
            await("all are logged", () -> log.records() == 3);
        }
        letEventsPass(holders);
    }

    /** If two have ended, the kernel is queried about one after the other. */
    @Test
    void an_error_after_a_detected_end_loses_no_callback() {
        try (FailingLog _ = new FailingLog(DaemonLoop.class, false);
                HolderTracker counted = counted()) {
            kernel.count = "count:\t2\n";
            for (int i = 0; i < 2; i++) {
                OwnedFd fd = memfd(syscalls);
                HolderWatch watch = counted.watch("camera", SIZE, fd.fd());
                fd.close();
                watch.whenGone(gone::incrementAndGet);
            }
            kernel.errorOnEnd.set(2);
            kernel.count = "count:\t1\n";
            await("both", () -> gone.get() == 2);
            assertEquals(0, kernel.errorOnEnd.get());
        }
    }

    @Test
    void a_callback_that_throws_does_not_affect_others() {
        try (Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < 3; i++) {
                OwnedFd fd = memfd(syscalls);
                new Mappings(syscalls).map(fd, SIZE, Access.READ, arena);
                HolderWatch watch = watch(fd);
                fd.close();
                watch.whenGone(() -> {
                    gone.incrementAndGet();
                    throw new IllegalStateException("thrown by the test");
                });
            }
        }
        await("all three", () -> gone.get() == 3);
        assertEquals(1, threads().size());
    }

    @Test
    void the_thread_keeps_no_class_loader_and_no_thread_local_of_its_creator() {
        InheritableThreadLocal<Object> inherited = new InheritableThreadLocal<>();
        inherited.set(new Object());
        ClassLoader vendors = new ClassLoader() {};
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        Thread.currentThread().setContextClassLoader(vendors);
        AtomicReference<Thread> thread = new AtomicReference<>();
        AtomicReference<Object> value = new AtomicReference<>("not asked");
        OwnedFd fd = memfd(syscalls);
        try {
            watch(fd).whenGone(() -> {
                value.set(inherited.get());
                thread.set(Thread.currentThread());
            });
        } finally {
            Thread.currentThread().setContextClassLoader(before);
            inherited.remove();
        }
        fd.close();
        await("reported", () -> thread.get() != null);
        assertNull(value.get());
        assertFalse(vendors == thread.get().getContextClassLoader());
        assertTrue(thread.get().isDaemon());
    }

    private HolderWatch watch(OwnedFd fd) {
        return holders.watch("camera", SIZE, fd.fd());
    }

    private HolderTracker counted() {
        return new HolderTracker(countedTable());
    }

    private HolderTable countedTable() {
        return new HolderTable(
                kernel.over(new CountedSyscalls()
                        .answer("fileSystem", DMA_BUF_MAGIC)
                        .calling()),
                kernel);
    }

    /** Waits for the report of a later end. Earlier ends would have been reported before it. */
    private void letEventsPass(HolderTracker through) {
        AtomicInteger passed = new AtomicInteger();
        OwnedFd later = memfd(syscalls);
        through.watch("later", SIZE, later.fd()).whenGone(passed::incrementAndGet);
        later.close();
        await("later events", () -> passed.get() == 1);
    }

    private static OwnedFd memfd(Syscalls syscalls) {
        int fd = syscalls.memfdCreate("peers-test", 1);
        assertEquals(0, syscalls.fallocate(fd, 0, 0, SIZE));
        return OwnedFd.of(fd, syscalls::close);
    }

    /** Skips the test on a kernel without secret memory. */
    private OwnedFd secret() {
        int fd = MadeUpSecrets.memfdSecret(0x80000);
        assumeTrue(fd >= 0, "skipped: this kernel gives no memfd_secret");
        assertEquals(0, Syscalls.linux().ftruncate(fd, SIZE));
        return OwnedFd.of(fd, syscalls::close);
    }

    private static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(Thread::isAlive)
                .map(Thread::getName)
                .filter("dmaheap-holders"::equals)
                .toList();
    }

    private static List<String> descriptors() {
        Path folder = Path.of("/proc/self/fd");
        try (Stream<Path> open = Files.list(folder)) {
            return open.map(fd -> {
                        try {
                            return fd.getFileName() + " " + Files.readSymbolicLink(fd);
                        } catch (IOException e) {
                            return ""; // closed since the listing, like the listing's own descriptor
                        }
                    })
                    .filter(line -> line.contains("anon_inode") || line.contains("peers-test"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void await(String what, BooleanSupplier condition) {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() - start < 30_000_000_000L, () -> "time limit exceeded: " + what);
            Thread.onSpinWait();
        }
    }
}
