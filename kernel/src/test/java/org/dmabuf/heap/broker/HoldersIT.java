// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.ref.ReferenceQueue;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.AbsentHeaps;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.StartFailures;
import org.dmabuf.heap.broker.heap.UnavailableHeaps;
import org.dmabuf.heap.broker.service.HeapListing;
import org.dmabuf.heap.broker.service.Monitors;
import org.dmabuf.heap.kernel.HolderProcess;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.process.Holder;
import org.dmabuf.heap.linux.process.HolderScan;
import org.dmabuf.heap.linux.process.SharedFile;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the scan for holders, compared with the kernel's list of dma-bufs. */
class HoldersIT {
    private static final long SIZE = 1 << 20;
    private static final Path LIST = Path.of("/sys/kernel/debug/dma_buf/bufinfo");
    private static final List<String> WAYS = List.of("descriptor", "mapping", "message", "import");
    private static final int MOST_TRIES = 1000;

    private final Ledger ledger = new Ledger();
    private final HeapRegistry registry = new HeapRegistry(ledger);
    private final HolderTracker holders = new HolderTracker();
    private final LeakDetector leaks = new LeakDetector();
    private final Client client =
            new Client(ledger.enter(ClientId.ofBundle("org.example.camera", "test:camera")), leaks);
    private final DeviceFences fences = new DeviceFences(Syscalls.linux());
    private final AbsentHeaps absent = new AbsentHeaps(new UnavailableHeaps(), new StartFailures());
    private final Allocator allocator = new Allocator(
            registry,
            ledger,
            new BufferServices(
                    new Descriptors(Syscalls.linux()),
                    Optional.of(holders),
                    fences,
                    new BrokerEvents() {},
                    new ReferenceQueue<>()),
            absent);
    private final List<HolderProcess> processes = new ArrayList<>();
    private MemorySource source;

    @TempDir
    Path folder;

    @BeforeEach
    void open() {
        source = DmaHeapSource.open("system", "system", Syscalls.linux(), Headroom.machine());
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, "system");
        registry.arrived(1, source, properties, "org.example.system");
        leaks.start();
    }

    @AfterEach
    void close() {
        processes.forEach(HolderProcess::close);
        client.stop("the test is over");
        leaks.stop();
        ledger.stop();
        holders.close();
        fences.close();
        source.close();
    }

    private List<BufferRecord> buffers() {
        return new Monitors(ledger, registry, new HeapListing(registry, absent), leaks)
                .getService(null, null)
                .buffers();
    }

    private HolderProcess hold(String way, OwnedFd fd) throws IOException {
        HolderProcess process = HolderProcess.start(Files.createTempDirectory(folder, way), way, fd, SIZE);
        processes.add(process);
        return process;
    }

    /** Leaves a closed buffer of the broker to a process. */
    private HolderProcess leave(String way) throws IOException {
        AllocationRequest request =
                AllocationRequest.of(SIZE).withHeaps("system").withName(way);
        try (DmaBuf buffer = allocator.allocate(client, request, 1)[0];
                OwnedFd fd = buffer.exportFd()) {
            return hold(way, fd);
        }
    }

    private static Map<Long, SharedFile> byInode(HolderScan scan) {
        Map<Long, SharedFile> files = new HashMap<>();
        scan.files().forEach(file -> assertEquals(null, files.put(file.inode(), file)));
        return files;
    }

    @Test
    void every_byte_of_the_kernels_list_is_attributed() throws Exception {
        for (String way : WAYS) {
            leave(way);
        }
        HeapBuffer foreign =
                source.allocate(HeapRequest.of(AllocationRequest.of(SIZE).withName("foreign"), Optional.empty()));
        try (OwnedFd fd = new Descriptors(Syscalls.linux()).duplicate("system", foreign.descriptor())) {
            hold("message", fd);
        } finally {
            foreign.release();
        }
        List<BufferRecord> ours = buffers();
        assertEquals(WAYS.size(), ours.size());
        HolderScan scan = HolderScan.of(ours);
        assertEquals(List.of(), scan.limits());

        Map<Long, SharedFile> files = byInode(scan);
        long bytes = 0;
        for (String line : Files.readAllLines(LIST, StandardCharsets.ISO_8859_1)) {
            String[] columns = line.split("\t");
            if (columns.length >= 6 && columns[0].matches("\\d+")) {
                SharedFile file = files.remove(Long.parseLong(columns[5].strip()));
                assertEquals(Long.parseLong(columns[0]), file.size().getAsLong(), line);
                assertEquals(Long.parseLong(columns[3]), file.count().getAsLong(), line);
                bytes += file.size().getAsLong();
            } else if (line.startsWith("Total") && line.endsWith("bytes")) {
                assertEquals(line.replaceAll("Total \\d+ objects, (\\d+) bytes", "$1"), Long.toString(bytes));
            }
        }
        assertTrue(bytes >= (WAYS.size() + 1) * SIZE);
        assertEquals(Map.of(), files);
        for (BufferRecord buffer : ours) {
            assertHeld(buffer, scan.of(buffer).orElseThrow());
        }
        SharedFile alone = scan.files().stream()
                .filter(file -> file.name().equals(Optional.of("foreign")))
                .findFirst()
                .orElseThrow();
        assertEquals(List.of(), alone.holders());
        assertEquals(1, alone.unattributed());
    }

    /** The broker's tracker holds one descriptor of each buffer, and the process holds it in one way. */
    private static void assertHeld(BufferRecord buffer, SharedFile file) {
        String way = buffer.name().orElseThrow();
        Optional<Holder> process = file.holders().stream()
                .filter(holder -> holder.pid() != ProcessHandle.current().pid())
                .findFirst();
        assertTrue(buffer.lingering());
        assertEquals(Optional.of("system"), file.exporter());
        boolean seen = way.equals("descriptor") || way.equals("mapping");
        assertEquals(seen, process.isPresent(), file::toString);
        if (way.equals("import")) { // a driver can count an import several times: vgem counts three
            assertTrue(file.unattributed() > 0, file::toString);
        } else {
            assertEquals(seen ? 0 : 1, file.unattributed(), file::toString);
        }
        assertEquals(seen ? Optional.of("python3") : Optional.empty(), process.map(Holder::name));
        assertEquals(
                way.equals("descriptor") ? 1 : 0,
                process.map(holder -> holder.descriptors().size()).orElse(0));
        assertEquals(
                way.equals("mapping") ? SIZE : 0,
                process.map(Holder::mappedBytes).orElse(0L));
    }

    @Test
    void a_killed_holder_disappears() throws Exception {
        HolderProcess process = leave("descriptor");
        long inode = buffers().getFirst().inode().getAsLong();
        assertTrue(isListed(inode));
        process.end("kill");
        for (int tries = 0; tries < MOST_TRIES && isListed(inode); tries++) {
            holders.look();
            Thread.sleep(10);
        }
        assertFalse(isListed(inode));
    }

    private static boolean isListed(long inode) throws Exception {
        return HolderScan.of(List.of()).files().stream().anyMatch(file -> file.inode() == inode);
    }
}
