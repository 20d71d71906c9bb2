// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;

/**
 * A pipeline of stock elements that takes one RGBA picture and writes a PNG. What goes into it is no bytes but a
 * descriptor: the elements map the very pages that the picture was drawn in.
 *
 * <p>The descriptor has one owner at a time. {@link DmaBuf#exportFd} makes it ours; once GStreamer has wrapped it into
 * a memory it is GStreamer's, and {@link OwnedFd#detach} says so: from then on closing is up to the memory, whose last
 * reference goes when the pipeline stops. On every way out before that, our own close gets it.
 */
final class PngPipeline implements AutoCloseable {
    /** For an encoder that takes milliseconds, on a machine under load. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final GStreamer gst;
    private final MemorySegment pipeline;

    /**
     * Makes a pipeline that does not run yet.
     *
     * @param gst its functions
     * @param width of the picture
     * @param height of the picture
     * @throws GStreamerException when an element is not installed
     */
    PngPipeline(GStreamer gst, int width, int height) {
        this.gst = gst;
        // pngenc takes RGBA as it is, so that videoconvert has nothing to do: no copy, and no colour changes.
        pipeline = gst.parseLaunch("appsrc name=source format=time do-timestamp=true"
                + " caps=video/x-raw,format=RGBA,width=" + width + ",height=" + height + ",framerate=0/1"
                + " ! videoconvert ! pngenc ! filesink name=sink");
    }

    /**
     * Runs it, once.
     *
     * @param picture RGBA, row after row
     * @param bytes of it in the buffer, which may be larger
     * @param file to write, absolute; it may be there in part when this fails
     * @throws GStreamerException with what GStreamer says of it
     */
    void write(DmaBuf picture, long bytes, Path file) {
        setLocation(file);
        // These elements read with the CPU. A device that imported the descriptor would need no CPU access of ours.
        try (CpuAccess _ = picture.beginCpuAccess(Access.READ)) {
            if (gst.elementSetState(pipeline, GStreamer.STATE_PLAYING) != GStreamer.STATE_CHANGE_FAILURE) {
                push(picture, bytes);
            }
            waitForEnd();
        } finally {
            stop(); // so that no thread reads when the CPU access ends
        }
    }

    private void setLocation(Path file) {
        MemorySegment sink = gst.binGetByName(pipeline, "sink");
        gst.setObjectArg(sink, "location", file.toString());
        gst.objectUnref(sink);
    }

    private void push(DmaBuf picture, long bytes) {
        MemorySegment memory = wrap(picture, bytes); // first: it is what may fail
        MemorySegment buffer = gst.bufferNew();
        gst.bufferAppendMemory(buffer, memory);
        MemorySegment source = gst.binGetByName(pipeline, "source");
        if (gst.appSrcPushBuffer(source, buffer) == GStreamer.FLOW_OK) {
            gst.appSrcEndOfStream(source);
        }
        gst.objectUnref(source);
    }

    private MemorySegment wrap(DmaBuf picture, long bytes) {
        boolean dmabuf = Boolean.TRUE.equals(picture.heapProperties().get(HeapProperties.DMABUF));
        MemorySegment allocator = dmabuf ? gst.dmabufAllocatorNew() : gst.fdAllocatorNew();
        try (OwnedFd fd = picture.exportFd()) {
            MemorySegment memory = dmabuf
                    ? gst.dmabufAllocatorAlloc(allocator, fd.fd(), bytes, GStreamer.FD_MEMORY_FLAG_NONE)
                    : gst.fdAllocatorAlloc(allocator, fd.fd(), bytes, GStreamer.FD_MEMORY_FLAG_NONE);
            if (GStreamer.isNull(memory)) {
                throw new GStreamerException(
                        "GStreamer does not take the descriptor of a buffer of heap '" + picture.heapName() + "'");
            }
            fd.detach();
            return memory;
        } finally {
            gst.objectUnref(allocator); // a memory has a reference of its own
        }
    }

    private void waitForEnd() {
        MemorySegment bus = gst.elementGetBus(pipeline);
        MemorySegment message = gst.busTimedPop(
                bus, PATIENCE.toNanos(), GStreamer.MESSAGE_EOS | GStreamer.MESSAGE_ERROR);
        gst.objectUnref(bus);
        if (GStreamer.isNull(message)) {
            throw new GStreamerException("GStreamer was not done within " + PATIENCE.toSeconds() + " s");
        }
        try {
            if (gst.messageType(message) == GStreamer.MESSAGE_ERROR) {
                throw new GStreamerException("GStreamer: " + gst.messageParseError(message));
            }
        } finally {
            gst.miniObjectUnref(message);
        }
    }

    /** Waits for the pipeline's threads; when it returns they have let go of every buffer, and so of the descriptor. */
    private void stop() {
        gst.elementSetState(pipeline, GStreamer.STATE_NULL);
    }

    /** Stops it if need be, and frees it. */
    @Override
    public void close() {
        stop();
        gst.objectUnref(pipeline);
    }
}
