// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.OwnedFd;

/**
 * Camera that captures into buffers of the broker: from heap {@code camera} as long as it has memory, then from heap
 * {@code system}. The camera writes into the memory that the client maps; no frame is copied. It is used by one thread.
 */
final class CameraQueue implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 30;

    private final VideoStream stream;
    private final Arena arena = Arena.ofConfined();
    private final List<List<DmaBuf>> buffers = new ArrayList<>();
    private final List<List<OwnedFd>> descriptors = new ArrayList<>();
    private final List<List<MemorySegment>> mappings = new ArrayList<>();
    private final long[] queued;

    private CameraQueue(VideoStream stream, int frames) {
        this.stream = stream;
        queued = new long[frames];
    }

    /**
     * Opens a camera, gives it frames, and starts it.
     *
     * @param frames number of frames in the queue
     */
    static CameraQueue start(HeapBroker broker, String device, int frames) {
        CameraQueue queue = new CameraQueue(VideoStream.open(device), frames);
        boolean started = false;
        try {
            queue.fill(broker, device, frames);
            started = true;
            return queue;
        } finally {
            if (!started) {
                queue.close();
            }
        }
    }

    private void fill(HeapBroker broker, String device, int frames) {
        // The device demands its own size, and excludes the heaps whose memory it refused in a probe.
        AllocationPlan plan = broker.plan(AllocationRequest.of(1)
                .withHeaps("camera", "system")
                .forDevices(device)
                .withName("camera frame"));
        stream.request(frames);
        for (int frame = 0; frame < frames; frame++) {
            addFrame();
            for (int _ : stream.format().planes()) {
                addPlane(plan.allocate());
            }
            giveBack(frame);
        }
        stream.start();
    }

    private void addFrame() {
        buffers.add(new ArrayList<>());
        descriptors.add(new ArrayList<>());
        mappings.add(new ArrayList<>());
    }

    private void addPlane(DmaBuf buffer) {
        buffers.getLast().add(buffer); // before anything else can fail
        descriptors.getLast().add(buffer.exportFd());
        mappings.getLast().add(buffer.map(Access.READ, arena));
    }

    VideoFormat format() {
        return stream.format();
    }

    /** Waits for the next frame. Its memory belongs to the caller until {@link #giveBack}. */
    CapturedFrame take() {
        return stream.take(PATIENCE_SECONDS);
    }

    /** Lets the camera write into a frame again. */
    void giveBack(int index) {
        queued[index] = System.nanoTime();
        stream.queue(index, descriptors.get(index));
    }

    /** {@return when a frame was last given to the camera, on the clock of {@link System#nanoTime}} */
    long queuedAt(int index) {
        return queued[index];
    }

    /** {@return a descriptor of the only plane of a frame, which stays open until {@link #close}} */
    OwnedFd descriptor(int index) {
        return descriptors.get(index).getFirst();
    }

    /** {@return the bytes of a frame's planes, one after another, copied} */
    byte[] content(CapturedFrame frame) {
        int size = frame.planes().stream().mapToInt(CapturedFrame.Span::size).sum();
        byte[] content = new byte[size];
        int at = 0;
        for (int plane = 0; plane < frame.planes().size(); plane++) {
            CapturedFrame.Span span = frame.planes().get(plane);
            MemorySegment pixels = mappings.get(frame.index()).get(plane).asSlice(span.offset(), span.size());
            try (CpuAccess _ = buffers.get(frame.index()).get(plane).beginCpuAccess(Access.READ)) {
                MemorySegment.ofArray(content).asSlice(at, span.size()).copyFrom(pixels);
            }
            at += span.size();
        }
        return content;
    }

    /** {@return the heaps in the order of their first buffers, each with its number of buffers} */
    String perHeap() {
        Map<String, Integer> counts = new LinkedHashMap<>();
        buffers.stream().flatMap(List::stream).forEach(buffer -> counts.merge(buffer.heapName(), 1, Integer::sum));
        return counts.entrySet().stream()
                .map(heap -> heap.getKey() + " " + heap.getValue())
                .collect(Collectors.joining(", "));
    }

    /** Ends the stream first, so that the camera no longer writes when the memory is released. */
    @Override
    public void close() {
        stream.close();
        arena.close();
        for (List<OwnedFd> planes : descriptors) {
            planes.forEach(OwnedFd::close);
        }
        for (List<DmaBuf> planes : buffers) {
            planes.forEach(DmaBuf::close);
        }
    }
}
