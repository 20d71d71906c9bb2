// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.ChargedBuffer;
import org.dmabuf.heap.Charges;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.linux.device.DeviceFile;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * Client that does what the API and the sockets and devices of heap-linux have for it, on the heaps of the kept vendor,
 * and checks what it gets.
 *
 * <p>Called from outside, it returns each check by name with {@code passed}, or with what went wrong. A check is a
 * method of its own, so that a missing method of the API fails only the checks that call it.
 */
@Component(service = Callable.class, property = "check=" + SelfCheck.CLIENT)
public final class SelfCheck implements Callable<Map<String, String>> {
    static final String CLIENT = "org.example.client";
    private static final String OWN = "kept-own";
    private static final String POOLED = "kept-pooled";
    private static final String REGION = "kept-region";
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final BundleContext context;
    private final HeapBroker broker;
    private final HeapMonitor monitor;

    @Activate
    public SelfCheck(BundleContext context, @Reference HeapBroker broker, @Reference HeapMonitor monitor) {
        this.context = context;
        this.broker = broker;
        this.monitor = monitor;
    }

    @Override
    public Map<String, String> call() {
        Map<String, String> results = new TreeMap<>();
        run(results, "requests keep their values", SelfCheck::requestsKeepTheirValues);
        run(results, "heaps are listed", this::heapsAreListed);
        run(results, "memory is allocated, mapped and used", this::memoryIsUsed);
        run(results, "heaps are chosen", this::heapsAreChosen);
        run(results, "a buffer is exported and adopted", this::aBufferIsExportedAndAdopted);
        run(results, "a descriptor goes over a socket", this::aDescriptorGoesOverASocket);
        run(results, "a device is used", SelfCheck::aDeviceIsUsed);
        run(results, "a buffer has several references", this::aBufferHasSeveralReferences);
        run(results, "a buffer is published", this::aBufferIsPublished);
        run(results, "buffers are charged", this::buffersAreCharged);
        run(results, "refusals say why", this::refusalsSayWhy);
        run(results, "nothing is left", this::nothingIsLeft);
        return results;
    }

    private static void run(Map<String, String> results, String name, Check check) {
        try {
            check.run();
            results.put(name, "passed");
        } catch (Exception | LinkageError | AssertionError e) {
            results.put(name, e + " at " + line(e));
        }
    }

    private static String line(Throwable e) {
        return Arrays.stream(e.getStackTrace())
                .filter(frame -> frame.getClassName().startsWith(CLIENT) && !frame.getMethodName().equals("expect"))
                .findFirst()
                .map(StackTraceElement::toString)
                .orElse("an unknown place");
    }

    private static void requestsKeepTheirValues() {
        AllocationRequest request = AllocationRequest.of(1)
                .from(OWN, POOLED)
                .requiring("(heap.type=kept)")
                .allowEmulated("contiguous")
                .alignment(4096)
                .heapFlags(1)
                .exportable(false)
                .exports(Access.READ)
                .name("frame");
        expect(1L, request.size());
        expect(List.of(OWN, POOLED), request.heaps());
        expect("(heap.type=kept)", request.requirement().orElseThrow());
        expect(true, request.emulations().contains("contiguous"));
        expect(4096L, request.alignment());
        expect(1L, request.heapFlags());
        expect(false, request.exportable());
        expect(Access.READ, request.exports());
        expect("frame", request.name());
        expect(3L, request.fromMask(3).mask().orElseThrow());
    }

    private void heapsAreListed() {
        for (String name : List.of(OWN, POOLED, REGION)) {
            HeapInfo heap = heap(name);
            expect(HeapState.SERVING, heap.state());
            expect("", heap.reason());
            expect("org.example.vendor", heap.bundle());
            expect("kept", heap.properties().get(HeapProperties.TYPE));
            expect(0L, heap.liveBuffers() + heap.liveBytes() + heap.lingeringBuffers() + heap.lingeringBytes());
        }
        HeapInfo own = heap(OWN);
        expect(false, own.usageAge().isNegative());
        expect(1L << 20, own.usage().capacity().orElseThrow());
        expect(1L << 20, own.usage().free().orElseThrow());
        expect(1L << 20, own.usage().largestFree().orElseThrow());
        expect(0L, own.usage().quarantined().orElseThrow());
        expect(0.0, own.usage().fragmentation().orElseThrow());
        PoolUsage pool = own.usage().pools().getFirst();
        expect("none", pool.name());
        expect(0L, pool.bytes() + pool.hits() + pool.misses());
        HeapInfo waiting = heap("kept-waiting");
        expect(HeapState.WAITING, waiting.state());
        expect("a device is missing; plug it in", waiting.reason());
    }

    private void memoryIsUsed() {
        for (String heap : List.of(OWN, POOLED, REGION)) {
            try (DmaBuf buffer = broker.allocate(AllocationRequest.of(5000).from(heap).name("frame"));
                    Arena arena = Arena.ofConfined()) {
                expect(8192L, buffer.size());
                expect(heap, buffer.heapName());
                expect("frame", buffer.name());
                expect(heap, buffer.heapProperties().get(HeapProperties.NAME));
                MemorySegment memory = buffer.map(Access.READ_WRITE, arena);
                expect(buffer.size(), memory.byteSize());
                expect(-1L, memory.mismatch(MemorySegment.ofArray(new byte[8192])));
                try (CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
                    memory.set(JAVA_LONG_UNALIGNED, 8184, 42);
                }
                MemorySegment reading = buffer.map(Access.READ, arena);
                expect(true, reading.isReadOnly());
                try (CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
                    expect(42L, reading.get(JAVA_LONG_UNALIGNED, 8184));
                }
            }
        }
    }

    private void heapsAreChosen() {
        try (DmaBuf byMask = broker.allocate(AllocationRequest.of(1).fromMask(1L << 51));
                DmaBuf byRequirement = broker.allocate(AllocationRequest.of(1).requiring("(heap.name=" + POOLED + ")"));
                DmaBuf kept = broker.allocate(
                        AllocationRequest.of(1).from(POOLED).exportable(false).alignment(4096));
                DmaBuf fallback = broker.allocate(AllocationRequest.of(2 << 20).from(OWN, POOLED))) {
            expect(OWN, byMask.heapName());
            expect(POOLED, byRequirement.heapName());
            expect(false, kept.inode().isPresent());
            expect(POOLED, fallback.heapName());
        }
    }

    private void aBufferIsExportedAndAdopted() {
        try (DmaBuf buffer = broker.allocate(AllocationRequest.of(4096).from(OWN).exports(Access.READ));
                Arena arena = Arena.ofConfined()) {
            buffer.map(Access.WRITE, arena).fill((byte) 7);
            OwnedFd descriptor = buffer.exportFd();
            expect(true, descriptor.fd() >= 0);
            expect(OWN, descriptor.heapProperties().get(HeapProperties.NAME));
            try (DmaBuf adopted = broker.adopt(descriptor, "again")) {
                expect("adopted", adopted.heapName());
                expect(buffer.inode().orElseThrow(), adopted.inode().orElseThrow());
                expect((byte) 7, adopted.map(Access.READ, arena).get(JAVA_BYTE, 4095));
            }
        }
    }

    private void aDescriptorGoesOverASocket() throws Exception {
        Path folder = Files.createTempDirectory("kept");
        Path path = folder.resolve("socket");
        try (DmaBuf buffer = broker.allocate(AllocationRequest.of(1).from(OWN));
                FdListener listener = FdListener.bind(path);
                FdSocket sender = FdSocket.connect(path, PATIENCE);
                FdSocket receiver = listener.accept(PATIENCE, peer -> peer.pid() == ProcessHandle.current().pid())) {
            expect(path, listener.path());
            expect(sender.peer().uid(), receiver.peer().uid());
            try (OwnedFd descriptor = buffer.exportFd()) {
                sender.send(descriptor, "frame");
            }
            try (FdMessage message = receiver.receive()) {
                expect("frame", message.text());
                expect(true, message.descriptor().fd() >= 0);
            }
        } finally {
            Files.delete(folder);
        }
    }

    private static void aDeviceIsUsed() {
        try (DeviceFile device = DeviceFile.open("/dev/null");
                Arena arena = Arena.ofConfined()) {
            expect(DeviceFile.POLLOUT, device.poll(DeviceFile.POLLOUT, 0));
            expect(-Errno.ENOTTY.number(), device.ioctl(0x5601, arena.allocate(8)));
        }
    }

    private void aBufferHasSeveralReferences() {
        DmaBuf first = broker.allocate(AllocationRequest.of(1).from(OWN));
        try (DmaBuf second = first.duplicate()) {
            first.close();
            first.close();
            expect(true, fails(IllegalStateException.class, first::duplicate));
            expect(4096L, second.size());
            expect(1L, heap(OWN).liveBuffers());
        }
    }

    private void aBufferIsPublished() throws Exception {
        try (DmaBuf buffer = broker.allocate(AllocationRequest.of(1).from(OWN));
                Publication _ = broker.publish(buffer, "kept")) {
            ServiceReference<DmaBuf> service = published().getFirst();
            expect(4096L, service.getProperty(HeapProperties.BUFFER_SIZE));
            expect(OWN, service.getProperty(HeapProperties.NAME));
            expect(buffer.size(), context.getService(service).size());
            context.ungetService(service);
        }
        expect(List.of(), published());
    }

    private List<ServiceReference<DmaBuf>> published() throws Exception {
        return List.copyOf(
                context.getServiceReferences(DmaBuf.class, "(" + HeapProperties.BUFFER_NAME + "=kept)"));
    }

    private void buffersAreCharged() {
        monitor.resetPeaks();
        try (DmaBuf buffer = broker.allocate(AllocationRequest.of(1).from(OWN).name("charged"));
                CpuAccess _ = buffer.beginCpuAccess(Access.READ);
                Arena arena = Arena.ofConfined()) {
            buffer.map(Access.READ, arena);
            ChargedBuffer charged = monitor.buffers().stream()
                    .filter(candidate -> candidate.name().equals("charged"))
                    .findFirst()
                    .orElseThrow();
            expect(OWN, charged.heap());
            expect(CLIENT, charged.client());
            expect(4096L, charged.size());
            expect(1, charged.references());
            expect(1, charged.mappings());
            expect(1, charged.brackets());
            expect(false, charged.exported() || charged.lingering() || charged.inode().isPresent());
            expect(false, charged.age().isNegative());
            expect(true, charged.site() != null);
            Charges mine = monitor.clientsOnHeaps().stream()
                    .filter(charges -> charges.client().equals(CLIENT) && charges.heap().equals(OWN))
                    .findFirst()
                    .orElseThrow();
            expect(1L, mine.liveBuffers());
            expect(4096L, mine.liveBytes());
            expect(4096L, mine.peakBytes());
            expect(0L, mine.lingeringBuffers() + mine.lingeringBytes());
            expect(false, mine.limit().isPresent());
        }
        expect(true, monitor.clients().stream().anyMatch(charges -> charges.client().equals(CLIENT)));
        Charges pooled = monitor.heaps().stream()
                .filter(charges -> charges.heap().equals(POOLED))
                .findFirst()
                .orElseThrow();
        expect(64L << 20, pooled.limit().orElseThrow());
    }

    private void refusalsSayWhy() {
        HeapException absent = refusal(AllocationRequest.of(1).from("kept-absent"));
        expect(Errno.ENODEV, absent.errno());
        expect(19, absent.errno().number());
        expect(Errno.ENODEV, Errno.of(19));

        HeapException full = refusal(AllocationRequest.of(2 << 20).from(OWN));
        expect(Errno.ENOMEM, full.errno());
        expect(true, full.errno().isOfTheMoment());
        expect(false, full.errno().meaning().isEmpty());
        Attempt attempt = full.attempts().getFirst();
        expect(OWN, attempt.heap());
        expect(Errno.ENOMEM, attempt.errno());
        expect(true, attempt.reason().contains("do not fit"));
        expect(true, full.getMessage().contains(full.reason()));
        expect(true, heap(OWN).name().equals(attempt.heap()));
        expect(true, monitor.heaps().stream()
                .filter(charges -> charges.heap().equals(OWN))
                .anyMatch(charges -> charges.failures().get(Errno.ENOMEM) >= 1));

        try (DmaBuf kept = broker.allocate(AllocationRequest.of(1).from(OWN).exportable(false))) {
            expect(true, fails(HeapException.class, kept::exportFd));
        }
    }

    private HeapException refusal(AllocationRequest request) {
        try (DmaBuf buffer = broker.allocate(request)) {
            throw new AssertionError(buffer.heapName() + " served");
        } catch (HeapException e) {
            return e;
        }
    }

    /** The memory of an exported buffer is followed until its last holder has gone, which takes a moment. */
    private void nothingIsLeft() throws InterruptedException {
        for (int i = 0; i < 1000 && left() > 0; i++) {
            Thread.sleep(10);
        }
        expect(0L, left());
        expect(1L << 20, heap(OWN).usage().free().orElseThrow());
    }

    private long left() {
        return monitor.buffers().stream()
                .filter(buffer -> buffer.client().equals(CLIENT))
                .count();
    }

    private HeapInfo heap(String name) {
        return broker.heaps().stream()
                .filter(heap -> heap.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no heap " + name));
    }

    private static boolean fails(Class<? extends Exception> expected, Callable<? extends AutoCloseable> call) {
        try (AutoCloseable _ = call.call()) {
            return false;
        } catch (Exception e) {
            return expected.isInstance(e);
        }
    }

    private static void expect(Object expected, Object actual) {
        if (!expected.equals(actual)) {
            throw new AssertionError("expected " + expected + " but got " + actual);
        }
    }

    /** One check. */
    private interface Check {
        void run() throws Exception;
    }
}
