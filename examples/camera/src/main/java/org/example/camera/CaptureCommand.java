// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * Commands {@code example:capture}, which captures frames of a camera and writes the last one to files, and
 * {@code example:stream}, which shows each frame to another process. Both use the camera's present format.
 *
 * <p>The component is immediate, because Gogo gets and ungets the service for each command.
 */
@Component(
        immediate = true,
        service = CaptureCommand.class,
        property = {"osgi.command.scope=example", "osgi.command.function=capture", "osgi.command.function=stream"})
public final class CaptureCommand {
    private final HeapBroker broker;

    /**
     * Makes the commands.
     *
     * @param broker this bundle's broker, which charges the frames to this bundle
     */
    @Activate
    public CaptureCommand(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Captures frames.
     *
     * @param session session with the folder to which FILE is relative
     * @param count number of frames to capture, at least 1
     * @param buffers number of frames in the camera's queue
     * @param out file for the bytes of the last frame, empty for none
     * @param png file for the last frame as a picture, empty for none
     * @param arguments DEVICE
     * @return a line with the result
     */
    @Descriptor("capture frames of a camera into heap camera, then system; write the last frame to a file")
    public String capture(
            CommandSession session,
            @Descriptor("number of frames to capture")
                    @Parameter(
                            names = {"-c", "--count"},
                            absentValue = "30")
                    int count,
            @Descriptor("number of frames in the camera's queue")
                    @Parameter(
                            names = {"-b", "--buffers"},
                            absentValue = "4")
                    int buffers,
            @Descriptor("file for the bytes of the last frame")
                    @Parameter(
                            names = {"-o", "--out"},
                            absentValue = "")
                    String out,
            @Descriptor("file for the last frame as PNG; the camera must be set to YUYV or XR24")
                    @Parameter(
                            names = {"-p", "--png"},
                            absentValue = "")
                    String png,
            @Descriptor("DEVICE") String... arguments) {
        try {
            if (arguments.length != 1 || count < 1 || buffers < 1) {
                throw new IllegalArgumentException(
                        "usage: example:capture [-c COUNT] [-b BUFFERS] [-o FILE] [-p FILE] DEVICE");
            }
            List<Path> files = new ArrayList<>();
            for (String file : List.of(out, png)) {
                files.add(file.isEmpty() ? null : session.currentDir().resolve(file));
            }
            return capture(arguments[0], count, buffers, files.getFirst(), files.getLast());
        } catch (HeapException | IllegalArgumentException | IOException e) {
            throw new Refused(e);
        }
    }

    private String capture(String device, int count, int buffers, Path out, Path png) throws IOException {
        try (CameraQueue queue = CameraQueue.start(broker, device, buffers)) {
            CapturedFrame frame = queue.take();
            for (int taken = 1; taken < count; taken++) {
                queue.giveBack(frame.index());
                frame = queue.take();
            }
            if (out != null) {
                Files.write(out, queue.content(frame));
            }
            if (png != null) {
                Picture.write(queue.content(frame), queue.format(), png);
            }
            return "from " + device + ": " + count + " frames of " + queue.format() + ", up to number "
                    + frame.sequence() + ", into buffers of " + queue.perHeap();
        }
    }

    /**
     * Captures frames and shows each one to another process before the camera gets its memory back.
     *
     * @param session session with the folder to which SOCKET is relative
     * @param buffers number of frames in the camera's queue
     * @param arguments DEVICE and SOCKET
     * @return a line with the result
     */
    @Descriptor("capture frames of a camera for the process that listens on a socket, until it has enough")
    public String stream(
            CommandSession session,
            @Descriptor("number of frames in the camera's queue")
                    @Parameter(
                            names = {"-b", "--buffers"},
                            absentValue = "8")
                    int buffers,
            @Descriptor("DEVICE SOCKET") String... arguments) {
        try {
            if (arguments.length != 2 || buffers < 1) {
                throw new IllegalArgumentException("usage: example:stream [-b BUFFERS] DEVICE SOCKET");
            }
            return stream(arguments[0], session.currentDir().resolve(arguments[1]), buffers);
        } catch (HeapException | FdSocketException | IllegalArgumentException | IllegalStateException e) {
            throw new Refused(e);
        }
    }

    private String stream(String device, Path socket, int buffers) {
        try (Viewer viewer = Viewer.connect(socket);
                CameraQueue queue = CameraQueue.start(broker, device, buffers)) {
            if (queue.format().planes().size() > 1) {
                throw new IllegalArgumentException("streaming " + queue.format() + " from " + device
                        + " failed: a viewer takes one descriptor for each frame; set a format of one plane");
            }
            StreamReport report = new StreamReport();
            boolean goesOn = true;
            while (goesOn) {
                CapturedFrame frame = queue.take();
                report.taken(frame, queue.queuedAt(frame.index()));
                viewer.show(frame, queue.descriptor(frame.index()));
                long shown = System.nanoTime();
                goesOn = viewer.await(frame);
                long answered = System.nanoTime();
                queue.giveBack(frame.index());
                report.spent(shown - frame.taken() + System.nanoTime() - answered);
            }
            return "from " + device + ": " + report + "; buffers of " + queue.perHeap();
        }
    }
}
