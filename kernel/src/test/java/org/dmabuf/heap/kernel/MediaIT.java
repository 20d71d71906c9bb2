// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests of the distributed gateway as an unprivileged user, with a camera and a display: drivers of the kernel, the
 * programs v4l2-ctl and GStreamer, and the examples. One gateway serves all tests, because its start is slow here.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(value = 3, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MediaIT {
    private static final String CAMERA = "/dev/video0";
    private static final String CAMERA_WITH_PLANES = "/dev/video2";
    private static final String LOOP_IN = "/dev/video3";
    private static final String LOOP_OUT = "/dev/video4";
    private static final String FRAME = "camera frame";
    private static final String CLIENT = "org.example.camera";
    /** 20 in CI. A minute: JAVA_TOOL_OPTIONS=-Dmedia.seconds=60 kernel/run -c org.dmabuf.heap.kernel.MediaIT. */
    private static final int SECONDS = Integer.getInteger("media.seconds", 20);

    private static final int RATE = 30;
    private static final int BUFFERS = 8;
    private static final int LINE = 2 * 320; // YUYV
    private static final int STEP = 4; // bytes that "Move Right Slow" moves the picture from a frame to the next

    private Path folder;
    private UnprivilegedGateway gateway;
    private FrameAccounts accounts;
    private Process viewer;
    private Process stalls;

    @BeforeAll
    void start(@TempDir Path made) throws Exception {
        requirePrograms();
        folder = made;
        gateway = UnprivilegedGateway.start(folder);
        gateway.process().await("dmaheap:constraints " + CAMERA, CAMERA + " +dmabuf +true .*");
        accounts = new FrameAccounts(gateway.process(), CLIENT, FRAME);
    }

    private static void requirePrograms() {
        for (String file : List.of(
                "/usr/bin/v4l2-ctl", UnprivilegedGateway.PLUGINS + "libgstvideo4linux2.so", "/usr/bin/setfacl")) {
            String missing = file + " is missing (Debian packages v4l-utils, gstreamer1.0-plugins-good, acl)";
            assertTrue(Files.exists(Path.of(file)) || !"true".equals(System.getenv("CI")), missing);
            assumeTrue(Files.exists(Path.of(file)), "skipped: " + missing);
        }
    }

    @AfterAll
    void close() throws Exception {
        if (gateway != null) {
            gateway.close();
        }
    }

    @AfterEach
    void endProcesses() throws Exception {
        if (stalls != null) {
            stalls.destroyForcibly().waitFor();
        }
        if (viewer != null) {
            viewer.destroyForcibly().waitFor();
            accounts.requireNothing(); // its stream has ended, too
        }
    }

    private static void control(String device, String... words) throws Exception {
        GatewayProcess.run(Stream.concat(Stream.of("v4l2-ctl", "-d", device), Arrays.stream(words))
                .toArray(String[]::new));
    }

    /** Captures the first frame by v4l2-ctl, into memory of the driver (MMAP). */
    private byte[] reference(String device) throws Exception {
        Path file = folder.resolve("reference");
        control(device, "--stream-mmap=4", "--stream-count=1", "--stream-to=" + file);
        return Files.readAllBytes(file);
    }

    private static void assertLine(String expected, String printed) {
        assertTrue(printed.lines().anyMatch(line -> line.matches(expected)), () -> expected + " in:\n" + printed);
    }

    @Test
    void a_gateway_without_any_privilege_takes_the_kernels_heap_and_makes_dmabufs_of_a_carveout() throws Exception {
        gateway.user().requireOf(gateway.process().pid());
        gateway.process().await("dmaheap:list", "system +system +dma-heap +yes +serving .*");
        gateway.process().await("dmaheap:list", "camera +carveout +udmabuf +yes +serving .*");
    }

    @Test
    void a_camera_that_the_user_may_not_open_is_refused_with_the_remedy() throws Exception {
        Path node = Path.of("/dev/video1");
        GatewayProcess.run("setfacl", "-b", node.toString());
        assertLine(
                "open of /dev/video1 failed: permission denied; it belongs to root:root with rw-------; give this"
                        + " process access by an ACL \\(setfacl in a udev rule\\)",
                gateway.attempt("example:capture /dev/video1"));
    }

    @Test
    void a_frame_is_the_one_that_v4l2_ctl_captures() throws Exception {
        control(CAMERA, "-c", "osd_text_mode=2,horizontal_movement=3", "-v", "width=640,height=360,pixelformat=YUYV");
        byte[] expected = reference(CAMERA);
        Path out = gateway.state().resolve("frame");
        Path png = gateway.state().resolve("frame.png");
        String printed = gateway.process().run("example:capture -c 33 -o " + out + " -p " + png + " " + CAMERA);
        assertLine(
                "from " + CAMERA + ": 33 frames of 640x360 YUYV, up to number \\d+, into buffers of camera 2, system 2",
                printed);
        assertEquals(640 * 360 * 2, expected.length);
        assertArrayEquals(expected, Files.readAllBytes(out));
        BufferedImage picture = ImageIO.read(png.toFile());
        assertEquals(640, picture.getWidth());
        assertEquals(360, picture.getHeight());
        Files.copy(png, Path.of(System.getenv("OUT"), "camera.png"));
        assertEquals(List.of(), GatewayIT.kernelsBuffers(FRAME));
    }

    @Test
    void a_frame_of_several_planes_is_the_one_that_v4l2_ctl_captures() throws Exception {
        control(CAMERA_WITH_PLANES, "-c", "osd_text_mode=2", "-v", "width=640,height=360,pixelformat=NM16");
        byte[] expected = reference(CAMERA_WITH_PLANES);
        Path out = gateway.state().resolve("planes");
        assertLine(
                "from .*: 33 frames of 640x360 NM16 in 2 planes, up to number \\d+, into buffers of camera \\d, system"
                        + " \\d",
                gateway.process().run("example:capture -c 33 -o " + out + " " + CAMERA_WITH_PLANES));
        assertEquals(640 * 360 * 2, expected.length);
        assertArrayEquals(expected, Files.readAllBytes(out));
    }

    /** The picture moves from frame to frame, so the viewer knows the content that belongs to a sequence number. */
    private void startViewer(Path socket) throws Exception {
        control(CAMERA, "-c", "osd_text_mode=2,horizontal_movement=3", "-v", "width=320,height=180,pixelformat=YUYV");
        control(CAMERA, "--set-parm=" + RATE);
        Path first = Files.write(folder.resolve("first"), reference(CAMERA)); // may have any number: nothing moves
        control(CAMERA, "-c", "horizontal_movement=4");
        String[] command = gateway.user()
                .command(
                        "python3", "-S", script("viewer.py"), socket.toString(), first.toString(), "" + LINE, "" + STEP)
                .toArray(String[]::new);
        viewer = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertEquals("ready", viewer.inputReader().readLine());
    }

    /** Copies a script to a folder that every user may read. */
    private String script(String name) throws IOException {
        Path copy = folder.resolve(name);
        try (InputStream content = MediaIT.class.getResourceAsStream("/" + name)) {
            Files.copy(content, copy, StandardCopyOption.REPLACE_EXISTING);
        }
        return copy.toString();
    }

    /** {@return the file for the result} */
    private Path stream(Path socket) throws IOException {
        Path result = gateway.state().resolve(socket.getFileName() + ".txt");
        gateway.begin("example:stream -b " + BUFFERS + " " + CAMERA + " " + socket, result);
        return result;
    }

    private static String await(Path result) throws Exception {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!Files.exists(result) || !Files.readString(result).endsWith("\n")) {
            assertTrue(System.nanoTime() < end, "the stream does not end");
            Thread.sleep(50);
        }
        return Files.readString(result);
    }

    @Test
    void each_frame_of_a_stream_reaches_another_process_while_heaps_come_and_go() throws Exception {
        Path socket = gateway.run().resolve("viewer");
        startViewer(socket);
        stalls = new ProcessBuilder("python3", "-S", script("stalls.py"), "vivid-000-vid-c")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertEquals("ready", stalls.inputReader().readLine());
        Path result = stream(socket);
        assertEquals("streaming", viewer.inputReader().readLine());
        accounts.requireAgreement(BUFFERS, viewer.pid());
        int heaps = 0;
        for (long end = System.nanoTime() + SECONDS * 1_000_000_000L; System.nanoTime() < end || heaps < 2; heaps++) {
            anotherHeapComesAndGoes();
        }
        accounts.requireAgreement(BUFFERS, viewer.pid());
        stalls.toHandle().destroy(); // leaves the output open
        int longestStall = Integer.parseInt(stalls.inputReader().readLine());
        viewer.toHandle().destroy();
        Matcher right = matcher("right (\\d+)", viewer.inputReader().readLine());
        Matcher report = matcher(
                "from .*: (\\d+) frames in .* s; missed (\\d+) with memory in the queue, (\\d+) without; here .*",
                await(result));
        System.out.println(report.group() + "; " + heaps + " heaps came and went");
        assertEquals(right.group(1), report.group(1));
        viewer.waitFor();
        // The driver misses a frame in spite of a full queue if it, or a thread with its lock, waits for a processor.
        if (longestStall < 1000 / RATE / 4) {
            assertEquals("0", report.group(2), report.group());
        } else {
            System.out.println("skipped: gaps in the stream, because a process waited " + longestStall + " ms");
        }
        accounts.requireNothing();
    }

    private void anotherHeapComesAndGoes() throws Exception {
        Path jar = gateway.process().home().resolve("deploy/vendor-heap.jar");
        Files.copy(gateway.process().home().resolve("examples/vendor-heap.jar"), jar);
        gateway.process().await("dmaheap:list", "acme .* serving .*");
        gateway.process().run("dmaheap:alloc -h acme -n passing 1M");
        gateway.process().run("dmaheap:free passing");
        Files.delete(jar);
        long end = System.nanoTime() + 60_000_000_000L;
        while (gateway.process().run("dmaheap:list").lines().anyMatch(line -> line.matches("acme .* serving .*"))) {
            assertTrue(System.nanoTime() < end, "heap 'acme' does not leave");
        }
    }

    private static Matcher matcher(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        assertTrue(matcher.find(), () -> pattern + " in:\n" + text);
        return matcher;
    }

    @Test
    void a_viewer_that_is_killed_leaves_nothing() throws Exception {
        Path socket = gateway.run().resolve("killed");
        startViewer(socket);
        Path result = stream(socket);
        assertEquals("streaming", viewer.inputReader().readLine());
        accounts.requireAgreement(BUFFERS, viewer.pid());
        viewer.destroyForcibly().waitFor();
        String printed = await(result);
        assertTrue(printed.contains("the viewer stopped at frame") || printed.contains("sendmsg failed"), printed);
        accounts.requireNothing();
    }

    @Test
    void a_display_shows_the_picture_that_Java_has_drawn() throws Exception {
        control(LOOP_OUT, "--set-output=1");
        control(LOOP_OUT, "-c", "enable_output_cropping=0,enable_output_composing=0,enable_output_scaler=0");
        control(LOOP_OUT, "--set-dv-bt-timings", "index=0");
        control(LOOP_IN, "-c", "enable_capture_cropping=0,enable_capture_composing=0,enable_capture_scaler=0");
        control(LOOP_IN, "-c", "osd_text_mode=2,hdmi_003_0_is_connected_to=2", "--set-input=3");
        control(LOOP_IN, "--set-dv-bt-timings", "index=0");
        control(LOOP_IN, "-v", "width=640,height=480,pixelformat=XR24");
        assertLine(
                "640 x 480, shown out of a buffer of heap 'system'",
                gateway.process().run("example:display 'v4l2sink device=" + LOOP_OUT + " io-mode=dmabuf-import'"));
        try {
            requireShown();
        } finally {
            gateway.process().run("example:display --off");
        }
        assertEquals(List.of(), GatewayIT.kernelsBuffers("displayed"));
    }

    private void requireShown() throws Exception {
        assertEquals(1, GatewayIT.kernelsBuffers("displayed").size());
        byte[] expected = testCard();
        Path png = gateway.state().resolve("display.png");
        long end = System.nanoTime() + 60_000_000_000L;
        // The input shows noise whenever the output has no frame in its queue.
        while (!Arrays.equals(expected, reference(LOOP_IN)) || !Arrays.equals(expected, captured(png))) {
            assertTrue(System.nanoTime() < end, "the display does not show the picture");
        }
        Files.copy(png, Path.of(System.getenv("OUT"), "display.png"));
    }

    private byte[] captured(Path png) throws IOException {
        gateway.process().run("example:capture -c 2 -p " + png + " " + LOOP_IN);
        BufferedImage picture = ImageIO.read(png.toFile());
        ByteBuffer pixels = ByteBuffer.allocate(640 * 480 * 4).order(ByteOrder.LITTLE_ENDIAN);
        for (int pixel = 0; pixel < 640 * 480; pixel++) {
            pixels.putInt(picture.getRGB(pixel % 640, pixel / 640) & 0xFFFFFF);
        }
        return pixels.array();
    }

    /** The picture that the example draws: eight bars, and a grey ramp in the last quarter, in BGRx. */
    private static byte[] testCard() {
        int[] bars = {0xFFFFFF, 0xFFFF00, 0x00FFFF, 0x00FF00, 0xFF00FF, 0xFF0000, 0x0000FF, 0x000000};
        ByteBuffer card = ByteBuffer.allocate(640 * 480 * 4).order(ByteOrder.LITTLE_ENDIAN);
        for (int pixel = 0; pixel < 640 * 480; pixel++) {
            int x = pixel % 640;
            card.putInt(pixel / 640 < 360 ? bars[x / 80] : x * 255 / 639 * 0x010101);
        }
        return card.array();
    }
}
