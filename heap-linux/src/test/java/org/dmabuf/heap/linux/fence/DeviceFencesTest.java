// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fence;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.DaemonLoop;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of waits with the epoll of the running kernel, for fences that a test signals. */
class DeviceFencesTest {
    private static final int DMA_BUF = 7;
    private static final long LONG = TimeUnit.MINUTES.toNanos(10);
    private static final long SHORT = TimeUnit.MILLISECONDS.toNanos(1);

    private final MadeUpFences kernel = new MadeUpFences();
    private final DeviceFences fences = new DeviceFences(kernel.syscalls, kernel.epoll);
    private final List<Throwable> ends = Collections.synchronizedList(new ArrayList<>());

    @AfterEach
    void each_descriptor_is_closed() throws InterruptedException {
        fences.close();
        eventually(() -> kernel.open().isEmpty());
        kernel.close();
    }

    private static void eventually(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "it has not come about");
            Thread.sleep(1);
        }
    }

    private void await(Access access, long nanos) {
        try (DeviceFence fence = fences.fence("camera", "buffer 'frame' of 8 KiB")) {
            fence.open(DMA_BUF, access);
            fence.await(nanos);
        }
    }

    private HeapException refusal(long nanos) {
        return assertThrows(HeapException.class, () -> await(Access.READ, nanos));
    }

    /** Starts a thread that waits, and records how its wait ends: null for a signal. */
    private Thread waiting(Thread.Builder builder) {
        return builder.start(() -> {
            Throwable end = null;
            try {
                await(Access.READ, LONG);
            } catch (Throwable e) {
                end = e;
            }
            ends.add(end);
        });
    }

    private static void join(Thread thread) throws InterruptedException {
        assertTrue(thread.join(Duration.ofSeconds(30)), "the wait has not ended");
    }

    private void untilWatched(int count) throws InterruptedException {
        eventually(() -> kernel.count("epoll add") == count);
    }

    @Test
    void a_signal_ends_the_wait_of_each_thread() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            threads.add(waiting(Thread.ofVirtual()));
            threads.add(waiting(Thread.ofPlatform()));
        }
        untilWatched(200);
        assertEquals(List.of(), ends);
        kernel.signal();
        for (Thread thread : threads) {
            join(thread);
        }
        assertEquals(Collections.nCopies(200, null), ends);
        assertEquals(2, kernel.open().size(), "only the epoll instance and its signal are open");
    }

    @Test
    void a_fence_that_is_signalled_needs_no_thread() {
        kernel.signal();
        await(Access.READ, LONG);
        assertEquals(0, kernel.count("epoll create"));
        assertEquals(Set.of(), kernel.open());
    }

    @Test
    void memory_that_is_no_dma_buf_has_no_fences() {
        kernel.kind(MemoryKind.TMPFS_MAGIC);
        await(Access.READ_WRITE, LONG);
        assertEquals(0, kernel.count("export"));
    }

    @Test
    void each_direction_waits_for_the_devices_that_conflict_with_it() {
        kernel.signal();
        for (Access access : List.of(Access.READ, Access.WRITE, Access.READ_WRITE)) {
            await(access, LONG);
        }
        assertEquals(List.of(1, 2, 3), kernel.directions());
    }

    @Test
    void after_the_timeout_the_exception_names_buffer_and_remedy() {
        HeapException timeout = refusal(SHORT);
        assertEquals(Errno.ETIMEDOUT, timeout.errno());
        assertEquals(
                "heap 'camera': waiting for devices that use buffer 'frame' of 8 KiB failed: they have not finished"
                        + " after 1 ms; allow more time, or find the device in /sys/kernel/debug/dma_buf/bufinfo",
                timeout.getMessage());
    }

    @Test
    void without_time_it_only_looks() {
        assertEquals(Errno.ETIMEDOUT, refusal(0).errno());
        assertEquals(0, kernel.count("epoll create"));
    }

    @Test
    void a_device_that_failed_is_an_exception_with_its_error() throws InterruptedException {
        Thread thread = waiting(Thread.ofVirtual());
        untilWatched(1);
        kernel.signal(-Errno.ENOENT.number());
        join(thread);
        HeapException failure = (HeapException) ends.getFirst();
        assertEquals(Errno.ENOENT, failure.errno());
        assertEquals(
                "heap 'camera': the work of a device on buffer 'frame' of 8 KiB failed: no such file or directory;"
                        + " its content may be incomplete: start the device again",
                failure.getMessage());
        assertEquals(Errno.ENOENT, refusal(0).errno());
        kernel.signal(-4000);
        assertEquals(4000, refusal(0).number());
    }

    @Test
    void an_interrupt_ends_the_wait_and_the_thread_stays_interrupted() throws InterruptedException {
        List<Boolean> interrupted = Collections.synchronizedList(new ArrayList<>());
        Thread thread = Thread.ofVirtual().start(() -> {
            interrupted.add(refusal(LONG).errno() == Errno.EINTR);
            interrupted.add(Thread.currentThread().isInterrupted());
        });
        untilWatched(1);
        thread.interrupt();
        join(thread);
        assertEquals(List.of(true, true), interrupted);
        assertEquals(2, kernel.open().size());
    }

    @Test
    void a_close_ends_each_wait_and_the_thread() throws InterruptedException {
        List<Thread> threads = List.of(waiting(Thread.ofVirtual()), waiting(Thread.ofPlatform()));
        untilWatched(2);
        fences.close();
        fences.close();
        for (Thread thread : threads) {
            join(thread);
        }
        for (Throwable end : ends) {
            assertEquals(Errno.ECANCELED, ((HeapException) end).errno());
        }
        assertEquals(2, ends.size());
        eventually(() -> kernel.open().isEmpty());
        assertEquals(Errno.ECANCELED, refusal(LONG).errno());
        assertEquals(1, kernel.count("epoll create"));
        kernel.signal();
        await(Access.READ, LONG);
    }

    @Test
    void a_kernel_that_does_not_show_the_fences_is_named_with_the_remedy() {
        kernel.fail("export", Errno.ENOTTY);
        HeapException refusal = refusal(LONG);
        assertEquals(Errno.ENOTSUP, refusal.errno());
        assertEquals(
                "heap 'camera': waiting for devices that use buffer 'frame' of 8 KiB failed: this kernel does not show"
                        + " the fences of a dma-buf; use Linux 6.0 or later with CONFIG_SYNC_FILE, or begin a CPU"
                        + " access without a timeout",
                refusal.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "fileSystem, fstatfs",
        "export, ioctl(DMA_BUF_IOCTL_EXPORT_SYNC_FILE)",
        "poll, poll",
        "eventfd, eventfd2",
        "epoll create, epoll_create1",
        "epoll add, epoll_ctl"
    })
    void a_failed_call_leaves_nothing_and_the_next_wait_succeeds(String call, String name) throws InterruptedException {
        kernel.fail(call, Errno.ENOMEM);
        HeapException refusal = refusal(LONG);
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.reason().startsWith(name + " failed: "), refusal.reason());
        assertEquals(call.equals("epoll add") ? 2 : 0, kernel.open().size());
        kernel.heal();
        long before = kernel.count("epoll add");
        Thread thread = waiting(Thread.ofVirtual());
        untilWatched((int) before + 1);
        kernel.signal();
        join(thread);
        assertEquals(Collections.singletonList(null), ends);
    }

    @Test
    void a_status_that_cannot_be_read_is_a_failure() {
        kernel.signal();
        kernel.fail("info", Errno.ENOMEM);
        HeapException refusal = refusal(LONG);
        assertTrue(refusal.reason().startsWith("ioctl(SYNC_IOC_FILE_INFO) failed: "), refusal.reason());
    }

    @Test
    void the_thread_survives_failed_calls_and_logs_them_once() {
        List<String> logged = RecordedLog.of(DaemonLoop.class, () -> {
            Thread thread = waiting(Thread.ofVirtual());
            untilWatched(1);
            kernel.fail("epoll ready", Errno.ENOMEM);
            kernel.signal();
            eventually(() -> kernel.count("epoll ready") >= 3);
            kernel.heal();
            join(thread);
        });
        assertEquals(List.of("watching fences of devices failed; the thread goes on"), logged);
        assertEquals(Collections.singletonList(null), ends);
    }

    /** A fence stays signalled for ever, so an event that is reported again and again would be a busy loop. */
    @Test
    void the_thread_wakes_once_for_each_fence() throws InterruptedException {
        DeviceFence[] all = new DeviceFence[2];
        for (int i = 0; i < all.length; i++) {
            all[i] = fences.fence("camera", "buffer");
            all[i].open(DMA_BUF, Access.READ);
        }
        int first = Collections.min(kernel.open());
        int second = Collections.max(kernel.open());
        kernel.signal();
        fences.watch(all[0], first, "camera");
        eventually(() -> kernel.count("epoll ready") == 1);
        fences.watch(all[1], second, "camera");
        eventually(() -> kernel.count("epoll ready") >= 2);
        Thread.sleep(20); // a busy loop would have made many more calls
        assertEquals(2, kernel.count("epoll ready"));
        for (DeviceFence fence : all) {
            fence.close();
            fence.close();
        }
    }
}
