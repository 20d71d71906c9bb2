// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;

/**
 * Test card that a device shows until {@link #close}. A sink such as kmssink or v4l2sink imports the descriptor of the
 * buffer, and the device reads the memory in which the picture was drawn.
 */
final class Display implements AutoCloseable {
    private final DmaBuf picture;
    private final Pipeline pipeline;

    private Display(DmaBuf picture, Pipeline pipeline) {
        this.picture = picture;
        this.pipeline = pipeline;
    }

    /**
     * Draws the picture and starts a pipeline that shows it.
     *
     * @param sink element that shows the picture, with its properties
     * @return a display whose sink has got the picture; the caller closes it
     * @throws GStreamerException with the message of GStreamer
     */
    static Display show(HeapBroker broker, GStreamer gst, String sink) {
        DmaBuf picture = broker.allocate(AllocationRequest.of(TestCard.BYTES)
                .withRequirement("(heap.dmabuf=true)") // a device imports nothing else
                .withName("displayed"));
        Display shown = null;
        try {
            draw(picture);
            shown = new Display(picture, pipeline(gst, sink));
            shown.pipeline.play(picture, TestCard.BYTES);
            shown.pipeline.await(GStreamer.MESSAGE_ASYNC_DONE);
            return shown;
        } catch (RuntimeException e) {
            if (shown != null) {
                shown.close();
            } else {
                picture.close();
            }
            throw e;
        }
    }

    private static Pipeline pipeline(GStreamer gst, String sink) {
        // An output for video wants a stream, so imagefreeze repeats the picture. It passes on the same descriptor.
        return new Pipeline(
                gst,
                "video/x-raw,format=BGRx,width=" + TestCard.WIDTH + ",height=" + TestCard.HEIGHT
                        + ",framerate=0/1,colorimetry=sRGB,interlace-mode=progressive",
                "imagefreeze ! video/x-raw,framerate=30/1 ! " + sink);
    }

    private static void draw(DmaBuf picture) {
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = picture.beginCpuAccess(Access.WRITE)) {
            TestCard.draw(picture.map(Access.WRITE, arena), TestCard.Pixels.BGRX);
        }
    }

    String heapName() {
        return picture.heapName();
    }

    /** Stops the pipeline first, so that the device no longer reads when the memory is released. */
    @Override
    public void close() {
        pipeline.close();
        picture.close();
    }
}
