// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * The command {@code example:png FILE}: draws into a buffer, and has GStreamer make a PNG of it.
 *
 * <p>GStreamer is loaded by the first command and not by the start of the bundle: where it is missing, the one who
 * wants a picture reads what to install, and may try again when it is.
 *
 * <p>Immediate, because Gogo gets and ungets the service for each command: a delayed component would link all functions
 * each time.
 */
@Component(
        immediate = true,
        service = PngCommand.class,
        property = {"osgi.command.scope=example", "osgi.command.function=png"})
public final class PngCommand {
    private final HeapBroker broker;
    private GStreamer gstreamer;

    /**
     * The command over a broker.
     *
     * @param broker this bundle's view of it
     */
    @Activate
    public PngCommand(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Writes the test card.
     *
     * @param session whose folder FILE is relative to
     * @param arguments FILE
     * @return what was done
     */
    @Descriptor("draw a test card into a buffer and have GStreamer write it as PNG")
    public String png(CommandSession session, @Descriptor("FILE") String... arguments) {
        try {
            if (arguments.length != 1) {
                throw new IllegalArgumentException("usage: example:png FILE");
            }
            return write(session.currentDir().resolve(arguments[0]).toAbsolutePath());
        } catch (GStreamerException | HeapException | IllegalArgumentException | IOException e) {
            throw new Refused(e);
        }
    }

    private String write(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new IOException(file + " is a folder");
        }
        if (!Files.isDirectory(file.getParent())) {
            throw new IOException("there is no folder " + file.getParent());
        }
        GStreamer gst = gstreamer();
        // Nobody sees half a picture, and what FILE was stays until there is a new one.
        Path part = file.resolveSibling(file.getFileName() + ".part");
        try (DmaBuf picture = broker.allocate(
                        AllocationRequest.of(TestCard.BYTES).withHeaps("system").withName("test card"));
                PngPipeline pipeline = new PngPipeline(gst, TestCard.WIDTH, TestCard.HEIGHT)) {
            draw(picture);
            pipeline.write(picture, TestCard.BYTES, part);
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return file + ": " + TestCard.WIDTH + " x " + TestCard.HEIGHT + ", encoded out of a buffer of heap '"
                    + picture.heapName() + "'";
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private synchronized GStreamer gstreamer() {
        if (gstreamer == null) {
            gstreamer = GStreamer.load();
        }
        return gstreamer;
    }

    private static void draw(DmaBuf picture) {
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = picture.beginCpuAccess(Access.WRITE)) {
            TestCard.draw(picture.map(Access.WRITE, arena));
        }
    }

    /** Says its sentence and no more: Gogo prints an exception as its {@code toString}. */
    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refused(Exception cause) {
            super(cause.getMessage(), cause);
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }
}
