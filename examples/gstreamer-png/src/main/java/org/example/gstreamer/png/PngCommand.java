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
 * Command {@code example:png FILE}, which draws into a buffer and encodes it as PNG by GStreamer.
 *
 * <p>The first command loads GStreamer, not the start of the bundle. If GStreamer is missing, the command reports the
 * packages to install, and can be repeated after the installation.
 *
 * <p>The component is immediate, because Gogo gets and ungets the service for each command. A delayed component would
 * link all functions each time.
 */
@Component(
        immediate = true,
        service = PngCommand.class,
        property = {"osgi.command.scope=example", "osgi.command.function=png"})
public final class PngCommand {
    private final HeapBroker broker;
    private GStreamer gstreamer;

    /**
     * Makes the command.
     *
     * @param broker this bundle's broker
     */
    @Activate
    public PngCommand(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Writes the test card.
     *
     * @param session session with the folder to which FILE is relative
     * @param arguments FILE
     * @return a line with the result
     */
    @Descriptor("draw a test card into a buffer and write it as PNG by GStreamer")
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
            throw new IOException("folder " + file.getParent() + " does not exist");
        }
        GStreamer gst = gstreamer();
        // A temporary file prevents a partial picture, and keeps the old FILE until the new one is complete.
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
            TestCard.draw(picture.map(Access.WRITE, arena), TestCard.Pixels.RGBA);
        }
    }
}
