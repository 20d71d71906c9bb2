// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;

/**
 * Pipeline of standard elements, whose input is one picture in a buffer. Its input is a descriptor, not bytes: the
 * elements map the pages in which the picture was drawn, or pass the descriptor to a device.
 *
 * <p>The descriptor has one owner at a time. At first this class owns the descriptor from {@link DmaBuf#exportFd}.
 * After GStreamer has wrapped it into a memory, {@link OwnedFd#detach} passes the ownership to that memory. The memory
 * closes the descriptor with its last reference, when the pipeline stops. On every failure before that, this class
 * closes it.
 */
final class Pipeline implements AutoCloseable {
    /** Timeout for elements that need only milliseconds, even on a machine under load. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final GStreamer gst;
    private final MemorySegment pipeline;

    /**
     * Makes a pipeline, not running yet.
     *
     * @param gst the functions of GStreamer
     * @param caps format of the picture
     * @param rest elements that get the picture
     * @throws GStreamerException when an element is not installed
     */
    Pipeline(GStreamer gst, String caps, String rest) {
        this.gst = gst;
        pipeline = gst.parseLaunch("appsrc name=source format=time do-timestamp=true caps=" + caps + " ! " + rest);
    }

    /** Sets a property of an element, from a text without the quoting of a pipeline description. */
    void set(String element, String property, String value) {
        MemorySegment found = gst.binGetByName(pipeline, element);
        gst.setObjectArg(found, property, value);
        gst.objectUnref(found);
    }

    /**
     * Starts the pipeline and gives it the picture, once.
     *
     * @param picture pixels, row by row
     * @param bytes bytes of the picture; the buffer may be larger
     */
    void play(DmaBuf picture, long bytes) {
        if (gst.elementSetState(pipeline, GStreamer.STATE_PLAYING) != GStreamer.STATE_CHANGE_FAILURE) {
            push(picture, bytes);
        }
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

    /**
     * Waits for a message.
     *
     * @param type type of the message, such as {@link GStreamer#MESSAGE_EOS}
     * @throws GStreamerException with the message of GStreamer when an element failed
     */
    void await(int type) {
        MemorySegment bus = gst.elementGetBus(pipeline);
        MemorySegment message = gst.busTimedPop(bus, PATIENCE.toNanos(), type | GStreamer.MESSAGE_ERROR);
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
    void stop() {
        gst.elementSetState(pipeline, GStreamer.STATE_NULL);
    }

    /** Stops the pipeline if it runs, and frees it. */
    @Override
    public void close() {
        stop();
        gst.objectUnref(pipeline);
    }
}
