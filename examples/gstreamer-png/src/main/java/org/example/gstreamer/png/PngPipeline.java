// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import java.nio.file.Path;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;

/** Pipeline that writes one RGBA picture as PNG. Its elements read the picture with the CPU. */
final class PngPipeline implements AutoCloseable {
    private final Pipeline pipeline;

    /**
     * Makes a pipeline, not running yet.
     *
     * @param gst the functions of GStreamer
     * @param width of the picture
     * @param height of the picture
     * @throws GStreamerException when an element is not installed
     */
    PngPipeline(GStreamer gst, int width, int height) {
        // pngenc accepts RGBA, so videoconvert does nothing: there is no copy and no change of colours.
        pipeline = new Pipeline(
                gst,
                "video/x-raw,format=RGBA,width=" + width + ",height=" + height + ",framerate=0/1",
                "videoconvert ! pngenc ! filesink name=sink");
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
        pipeline.set("sink", "location", file.toString());
        // These elements read with the CPU, which needs a CPU access. A device that imports the descriptor does not
        // need one.
        try (CpuAccess _ = picture.beginCpuAccess(Access.READ)) {
            pipeline.play(picture, bytes);
            pipeline.await(GStreamer.MESSAGE_EOS);
        } finally {
            pipeline.stop(); // so that no thread reads when the CPU access ends
        }
    }

    /** Stops the pipeline if it runs, and frees it. */
    @Override
    public void close() {
        pipeline.close();
    }
}
