// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of waits for a device of the kernel that is at work on a buffer. */
class FenceIT {
    private static final int WAITERS = 1000;
    private static final Duration LONG = Duration.ofMinutes(2);
    private static final Duration SHORT = Duration.ofMillis(50);
    /** Less than the 10 seconds after which vgem gives up, by what the test needs after its waiters have begun. */
    private static final Duration PATIENCE_OF_VGEM = Duration.ofSeconds(7);

    private final BrokerParts broker = new BrokerParts();
    private final List<MemorySource> sources = new ArrayList<>();
    private final List<Throwable> ends = Collections.synchronizedList(new ArrayList<>());
    private Vgem device;

    @BeforeEach
    void open() throws IOException {
        device = new Vgem();
        add("memfd", MemfdSource.open("memfd"));
        add("system", DmaHeapSource.open("system", "system"));
        add("udmabuf", UdmabufSource.open("udmabuf"));
    }

    private void add(String name, MemorySource source) {
        sources.add(source);
        broker.heap(name, source, source.properties());
    }

    @AfterEach
    void no_descriptor_and_no_thread_is_left() {
        device.close();
        broker.close();
        sources.forEach(MemorySource::close);
        Await.until("the thread goes on", () -> watcher().isEmpty());
        assertEquals(0, syncFiles());
    }

    /** {@return how many descriptors of this process are sync_files} */
    private static long syncFiles() {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.filter(FenceIT::isSyncFile).count();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static boolean isSyncFile(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().equals("anon_inode:sync_file");
        } catch (IOException e) {
            return false; // closed meanwhile
        }
    }

    private static List<Thread> watcher() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("dmaheap-fences"))
                .toList();
    }

    private DmaBuf buffer(String heap) {
        return broker.allocate(AllocationRequest.of(65_536).withHeaps(heap));
    }

    private static Errno refusal(DmaBuf buffer, Access access, Duration timeout) {
        return assertThrows(HeapException.class, () -> buffer.awaitDevices(access, timeout))
                .errno();
    }

    /** Starts a thread that waits, and records how its wait ends: null if the device has finished. */
    private Thread waiting(DmaBuf buffer) {
        return waiting(buffer, new CountDownLatch(0));
    }

    private Thread waiting(DmaBuf buffer, CountDownLatch begun) {
        return Thread.ofVirtual().start(() -> {
            Throwable end = null;
            try {
                begun.await();
                buffer.awaitDevices(Access.READ, LONG);
            } catch (Throwable e) {
                end = e;
            }
            ends.add(end);
        });
    }

    private static void join(Thread thread) throws InterruptedException {
        assertTrue(thread.join(Duration.ofSeconds(60)), "the wait has not ended");
    }

    private static void untilParked(List<Thread> threads) {
        Await.until("not all threads wait", () -> areParked(threads));
    }

    private static boolean areParked(List<Thread> threads) {
        return threads.stream().allMatch(thread -> thread.getState() == Thread.State.TIMED_WAITING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"system", "udmabuf"})
    void a_thousand_waiters_hold_no_thread_and_wake_together(String heap) throws Exception {
        ThreadMXBean platform = ManagementFactory.getThreadMXBean();
        try (DmaBuf buffer = buffer(heap);
                OwnedFd fd = buffer.exportFd()) {
            int handle = device.attach(buffer);
            int first = device.beginWriting(handle);
            assertEquals(Errno.ETIMEDOUT, refusal(buffer, Access.READ, SHORT)); // loads the classes
            device.end(first);
            String holders = count(fd);
            CountDownLatch begun = new CountDownLatch(1);
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < WAITERS; i++) {
                buffer.awaitDevices(Access.READ, LONG); // compiled before vgem's 10 seconds begin
                threads.add(waiting(buffer, begun));
            }
            Await.until(
                    "not all threads have started",
                    () -> threads.stream().allMatch(thread -> thread.getState() == Thread.State.WAITING));
            int work = device.beginWriting(handle);
            long began = System.nanoTime();
            begun.countDown();
            Await.until(
                    "not all threads wait",
                    () -> areParked(threads) || System.nanoTime() - began > PATIENCE_OF_VGEM.toNanos());
            long started = System.nanoTime();
            assumeTrue(
                    started - began < PATIENCE_OF_VGEM.toNanos(),
                    "this machine took too long to begin the waits, and vgem gives up after 10 s");
            long watcher = watcher().getFirst().threadId();
            long used = platform.getThreadCpuTime(watcher);
            Thread.sleep(1000);
            used = platform.getThreadCpuTime(watcher) - used;
            long watched = System.nanoTime() - started;
            System.out.println(WAITERS + " waiters on " + heap + ": started in " + (started - began) / 1_000_000
                    + " ms; the watching thread used " + used / 1000 + " us of " + watched / 1000 + " us");
            assertTrue(used < watched / 4, "a busy loop");
            assertTrue(platform.getThreadCount() < 100, platform.getThreadCount() + " threads");
            assertEquals(WAITERS, syncFiles());
            assertEquals(holders, count(fd), "a wait is no holder");
            assertEquals(List.of(), ends);
            assertEquals(0, device.end(work), "the device gave up before the test ended its work");
            for (Thread thread : threads) {
                join(thread);
            }
            assertEquals(Collections.nCopies(WAITERS, null), ends);
            assertEquals(0, syncFiles());
            device.detach(handle);
        }
    }

    private static String count(OwnedFd fd) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/fdinfo/" + fd.fd()))) {
            return lines.filter(line -> line.startsWith("count:")).findFirst().orElseThrow();
        }
    }

    @Test
    void for_reading_it_waits_for_devices_that_write_and_for_writing_for_all() {
        try (DmaBuf buffer = buffer("system")) {
            int handle = device.attach(buffer);
            int reading = device.beginReading(handle);
            buffer.awaitDevices(Access.READ, Duration.ZERO);
            assertEquals(Errno.ETIMEDOUT, refusal(buffer, Access.WRITE, Duration.ZERO));
            assertEquals(Errno.ETIMEDOUT, refusal(buffer, Access.READ_WRITE, Duration.ZERO));
            assertEquals(0, device.end(reading));
            buffer.awaitDevices(Access.READ_WRITE, Duration.ZERO);
            int writing = device.beginWriting(handle);
            assertEquals(Errno.ETIMEDOUT, refusal(buffer, Access.READ, Duration.ZERO));
            assertEquals(0, device.end(writing));
            device.detach(handle);
        }
    }

    @Test
    void a_cpu_access_with_a_timeout_begins_only_when_the_device_has_finished() {
        try (DmaBuf buffer = buffer("udmabuf")) {
            int handle = device.attach(buffer);
            int work = device.beginWriting(handle);
            HeapException timeout = assertThrows(HeapException.class, () -> buffer.beginCpuAccess(Access.READ, SHORT));
            assertEquals(Errno.ETIMEDOUT, timeout.errno());
            assertEquals(Map.of("udmabuf", 0), cpuAccesses());
            assertEquals(0, device.end(work));
            try (CpuAccess _ = buffer.beginCpuAccess(Access.READ, SHORT)) {
                assertEquals(Map.of("udmabuf", 1), cpuAccesses());
            }
            device.detach(handle);
        }
    }

    private Map<String, Integer> cpuAccesses() {
        Map<String, Integer> byHeap = new TreeMap<>();
        broker.monitor().buffers().forEach(record -> byHeap.put(record.heap(), record.cpuAccesses()));
        return byHeap;
    }

    @Test
    void an_interrupt_ends_a_wait_and_a_close_of_the_reference_does_not() throws InterruptedException {
        DmaBuf buffer = buffer("system");
        int handle = device.attach(buffer);
        int work = device.beginWriting(handle);
        Thread interrupted = waiting(buffer);
        Thread lasting = waiting(buffer);
        untilParked(List.of(interrupted, lasting));
        interrupted.interrupt();
        join(interrupted);
        assertEquals(Errno.EINTR, ((HeapException) ends.getFirst()).errno());
        buffer.close();
        assertThrows(IllegalStateException.class, () -> buffer.awaitDevices(Access.READ, LONG));
        assertEquals(1, syncFiles());
        assertEquals(0, device.end(work));
        join(lasting);
        assertEquals(null, ends.get(1));
        device.detach(handle);
    }

    @Test
    void the_end_of_the_broker_ends_each_wait() throws InterruptedException {
        try (DmaBuf buffer = buffer("system")) {
            int handle = device.attach(buffer);
            int work = device.beginWriting(handle);
            Thread thread = waiting(buffer);
            untilParked(List.of(thread));
            broker.fences.close();
            join(thread);
            assertEquals(Errno.ECANCELED, ((HeapException) ends.getFirst()).errno());
            assertEquals(0, device.end(work));
            device.detach(handle);
        }
    }

    /** After 10 seconds vgem signals its fence without an error, so that only its own ioctl reports that it gave up. */
    @Test
    void a_device_that_gives_up_ends_the_wait() {
        try (DmaBuf buffer = buffer("system")) {
            int handle = device.attach(buffer);
            int work = device.beginWriting(handle);
            buffer.awaitDevices(Access.READ, LONG);
            assertEquals(-Errno.ETIMEDOUT.number(), device.end(work));
            device.detach(handle);
        }
    }

    @Test
    void a_memfd_has_no_fences() {
        try (DmaBuf buffer = buffer("memfd");
                OwnedFd _ = buffer.exportFd()) {
            buffer.awaitDevices(Access.READ_WRITE, Duration.ZERO);
        }
    }

    @Test
    void an_adopted_buffer_is_awaited_too() {
        try (DmaBuf made = buffer("system");
                OwnedFd sent = made.exportFd();
                DmaBuf adopted = broker.adoption.adopt(broker.client, sent, "theirs")) {
            int handle = device.attach(made);
            int work = device.beginWriting(handle);
            assertEquals(Errno.ETIMEDOUT, refusal(adopted, Access.READ, Duration.ZERO));
            assertEquals(0, device.end(work));
            adopted.awaitDevices(Access.READ, Duration.ZERO);
            device.detach(handle);
        }
    }
}
