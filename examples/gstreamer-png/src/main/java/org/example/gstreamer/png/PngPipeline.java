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
 * Pipeline of standard elements that writes one RGBA picture as PNG. Its input is a descriptor, not bytes: the elements
 * map the pages in which the picture was drawn.
 *
 * <p>The descriptor has one owner at a time. At first this class owns the descriptor from {@link DmaBuf#exportFd}.
 * After GStreamer has wrapped it into a memory, {@link OwnedFd#detach} passes the ownership to that memory. The memory
 * closes the descriptor with its last reference, when the pipeline stops. On every failure before that, this class
 * closes it.
 */
final class PngPipeline implements AutoCloseable {
    /** Timeout for an encoder that needs only milliseconds, even on a machine under load. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final GStreamer gst;
    private final MemorySegment pipeline;

    /**
     * Makes a pipeline, not running yet.
     *
     * @param gst the functions of GStreamer
     * @param width of the picture
     * @param height of the picture
     * @throws GStreamerException when an element is not installed
     */
    PngPipeline(GStreamer gst, int width, int height) {
        this.gst = gst;
        // pngenc accepts RGBA, so videoconvert does nothing: there is no copy and no change of colours.
        pipeline = gst.parseLaunch("appsrc name=source format=time do-timestamp=true"
                + " caps=video/x-raw,format=RGBA,width=" + width + ",height=" + height + ",framerate=0/1"
                + " ! videoconvert ! pngenc ! filesink name=sink");
    }

    /**
     * Runs the pipeline, once.
     *
     * @param picture RGBA pixels, row by row
     * @param bytes bytes of the picture; the buffer may be larger
     * @param file absolute path of the file to write; after a failure it may be incomplete
     * @throws GStreamerException with the message of GStreamer
     */
    void write(DmaBuf picture, long bytes, Path file) {
        setLocation(file);
        // These elements read with the CPU, which needs a CPU access. A device that imports the descriptor would not
        // need one.
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
        MemorySegment memory = wrap(picture, bytes); // first, because it may fail
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
                        "GStreamer refused the descriptor of a buffer of heap '" + picture.heapName() + "'");
            }
            fd.detach();
            return memory;
        } finally {
            gst.objectUnref(allocator); // a memory has a reference of its own
        }
    }

    private void waitForEnd() {
        MemorySegment bus = gst.elementGetBus(pipeline);
        MemorySegment message =
                gst.busTimedPop(bus, PATIENCE.toNanos(), GStreamer.MESSAGE_EOS | GStreamer.MESSAGE_ERROR);
        gst.objectUnref(bus);
        if (GStreamer.isNull(message)) {
            throw new GStreamerException("GStreamer did not finish within " + PATIENCE.toSeconds() + " s");
        }
        try {
            if (gst.messageType(message) == GStreamer.MESSAGE_ERROR) {
                throw new GStreamerException("GStreamer: " + gst.messageParseError(message));
            }
        } finally {
            gst.miniObjectUnref(message);
        }
    }

    /** Waits for the pipeline's threads. When it returns, they have released every buffer and thus the descriptor. */
    private void stop() {
        gst.elementSetState(pipeline, GStreamer.STATE_NULL);
    }

    /** Stops the pipeline if it runs, and frees it. */
    @Override
    public void close() {
        stop();
        gst.objectUnref(pipeline);
    }
}
