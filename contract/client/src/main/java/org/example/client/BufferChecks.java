// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static org.example.client.Gateway.EMULATED;
import static org.example.client.Gateway.OWN;
import static org.example.client.Gateway.POOLED;
import static org.example.client.Gateway.REGION;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapRefusedException;

/** Checks of buffers: how they are allocated and used. */
final class BufferChecks {
    private final Gateway gateway;
    private final HeapBroker broker;

    BufferChecks(Gateway gateway) {
        this.gateway = gateway;
        broker = gateway.broker();
    }

    void run(Report report) {
        report.run("memory is allocated, mapped and used", this::memoryIsUsed);
        report.run("heaps are chosen", this::heapsAreChosen);
        report.run("an emulation is taken where it is accepted", this::anEmulationIsTaken);
        report.run("a buffer has several references", this::aBufferHasSeveralReferences);
        report.run("several buffers come at once", this::severalBuffersComeAtOnce);
    }

    private void memoryIsUsed() {
        for (String heap : List.of(OWN, POOLED, REGION)) {
            try (DmaBuf buffer = broker.allocate(
                            AllocationRequest.of(5000).withHeaps(heap).withName("frame"));
                    Arena arena = Arena.ofConfined()) {
                Expect.same(8192L, buffer.size());
                Expect.same(heap, buffer.heapName());
                Expect.same("frame", buffer.name().orElseThrow());
                Expect.same(heap, buffer.heapProperties().get(HeapProperties.NAME));
                MemorySegment memory = buffer.map(Access.READ_WRITE, arena);
                Expect.same(buffer.size(), memory.byteSize());
                Expect.same(-1L, memory.mismatch(MemorySegment.ofArray(new byte[8192])));
                try (CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
                    memory.set(JAVA_LONG_UNALIGNED, 8184, 42);
                }
                MemorySegment reading = buffer.map(Access.READ, arena);
                Expect.yes(reading.isReadOnly());
                buffer.awaitDevices(Access.READ, Duration.ZERO);
                try (CpuAccess _ = buffer.beginCpuAccess(Access.READ, Duration.ofSeconds(1))) {
                    Expect.same(42L, reading.get(JAVA_LONG_UNALIGNED, 8184));
                }
            }
        }
    }

    private void heapsAreChosen() {
        try (DmaBuf byMask = broker.allocate(AllocationRequest.of(1).withMask(1L << 51));
                DmaBuf byRequirement =
                        broker.allocate(AllocationRequest.of(1).withRequirement("(heap.name=" + POOLED + ")"));
                DmaBuf inside = broker.allocate(AllocationRequest.of(1)
                        .withHeaps(POOLED)
                        .withExport(ExportMode.NONE)
                        .withAlignment(4096));
                DmaBuf fallback = broker.allocate(AllocationRequest.of(2 << 20).withHeaps(OWN, POOLED))) {
            Expect.same(OWN, byMask.heapName());
            Expect.yes(byMask.name().isEmpty());
            Expect.same(POOLED, byRequirement.heapName());
            Expect.yes(inside.inode().isEmpty());
            Expect.same(POOLED, fallback.heapName());
        }
    }

    private void anEmulationIsTaken() {
        AllocationRequest request =
                AllocationRequest.of(1).withHeaps(EMULATED).withRequirement("(heap.contiguous=true)");
        Expect.failure(HeapRefusedException.class, () -> broker.allocate(request));
        try (DmaBuf buffer = broker.allocate(request.withEmulations("contiguous"))) {
            Expect.same(EMULATED, buffer.heapName());
        }
    }

    private void aBufferHasSeveralReferences() throws Exception {
        DmaBuf first = gateway.page(OWN);
        try (DmaBuf second = first.newReference()) {
            first.close();
            first.close();
            Expect.failure(IllegalStateException.class, first::newReference);
            Expect.same(4096L, first.size());
            Expect.same(4096L, second.size());
            Expect.soon(1L, () -> gateway.heap(OWN).charged().liveBuffers()); // earlier arenas end by another thread
        }
    }

    private void severalBuffersComeAtOnce() {
        AllocationRequest page = AllocationRequest.of(1).withHeaps(OWN, POOLED);
        List<DmaBuf> few = broker.allocate(page, 4);
        Expect.same(
                List.of(OWN, OWN, OWN, OWN), few.stream().map(DmaBuf::heapName).toList());
        few.forEach(DmaBuf::close);
        List<DmaBuf> many = broker.allocate(page, 300); // more than the first heap has
        Expect.same(
                300L,
                many.stream().filter(buffer -> buffer.heapName().equals(POOLED)).count());
        many.forEach(DmaBuf::close);
        Expect.failure(IllegalArgumentException.class, () -> broker.allocate(page, 0));
        Expect.failure(IllegalArgumentException.class, () -> broker.allocate(page, HeapBroker.MOST_AT_ONCE + 1));
    }
}
