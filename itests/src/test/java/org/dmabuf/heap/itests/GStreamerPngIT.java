// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.awt.image.BufferedImage;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.After;
import org.junit.Before;
import org.junit.BeforeClass;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the example that hands a buffer to GStreamer, dropped into the gateway as an operator would. */
public class GStreamerPngIT {
    private static final Path HOME = Path.of(System.getProperty("gateway")).normalize();
    private static final int WIDTH = 640;
    private static final int HEIGHT = 480;

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private Process gateway;
    private BufferedReader out;
    private Path err;
    private int commands;

    @BeforeClass
    public static void GStreamer_is_installed() throws IOException {
        if (!hasPngEncoder()) {
            String sentence =
                    "GStreamer is not installed (packages gstreamer1.0-plugins-base, gstreamer1.0-plugins-good)";
            assertFalse(sentence + ", and in CI it has to be", "true".equals(System.getenv("CI")));
            System.out.println("skipped: " + sentence);
            assumeTrue(sentence, false);
        }
    }

    @Before
    public void make_a_file_for_errors() throws IOException {
        err = folder.newFile("err").toPath();
    }

    @After
    public void end_the_gateway() throws Exception {
        if (gateway != null) {
            gateway.destroyForcibly().waitFor();
        }
    }

    @Test
    public void the_png_shows_the_picture_that_was_drawn_into_the_buffer() throws Exception {
        Path png = folder.getRoot().toPath().resolve("a \"card\".png");
        startGateway();

        assertEquals(
                List.of(png + ": 640 x 480, encoded out of a buffer of heap 'system'"),
                run("example:png '" + png + "'"));

        BufferedImage image = ImageIO.read(png.toFile());
        assertEquals(WIDTH, image.getWidth());
        assertEquals(HEIGHT, image.getHeight());
        assertArrayEquals(expectedPixels(), image.getRGB(0, 0, WIDTH, HEIGHT, null, 0, WIDTH));
    }

    @Test
    public void no_buffer_is_left_after_a_picture_or_after_a_failure() throws Exception {
        Path png = folder.getRoot().toPath().resolve("card.png");
        startGateway();
        run("example:png " + png);
        Framework.await(List.of(), this::held);
        byte[] picture = Files.readAllBytes(png);

        // A failure while the frame is processed: every write to this file reports a full disk.
        Path part = Files.createSymbolicLink(folder.getRoot().toPath().resolve("card.png.part"), Path.of("/dev/full"));
        assertEquals(List.of("GStreamer: No space left on the resource."), runAndFail("example:png " + png));
        Framework.await(List.of(), this::held);
        assertFalse("half a file is left", Files.exists(part, LinkOption.NOFOLLOW_LINKS));
        assertArrayEquals("the file that was there", picture, Files.readAllBytes(png));

        // A failure before that: the file cannot be created here.
        assertEquals(
                List.of("GStreamer: Could not open file \"/proc/card.png.part\" for writing."),
                runAndFail("example:png /proc/card.png"));
        Framework.await(List.of(), this::held);

        // Check of the check: a buffer that is left is detected.
        run("dmaheap:alloc -n left 4K");
        assertEquals(held().toString(), 1, held().size());
    }

    @Test
    public void a_file_that_cannot_be_written_is_refused_with_a_sentence() throws Exception {
        startGateway();
        assertEquals(List.of("usage: example:png FILE"), runAndFail("example:png"));
        assertEquals(List.of(folder.getRoot() + " is a folder"), runAndFail("example:png " + folder.getRoot()));
        assertEquals(
                List.of("folder " + folder.getRoot() + "/none does not exist"),
                runAndFail("example:png " + folder.getRoot() + "/none/card.png"));
    }

    @Test
    public void without_plugins_the_packages_are_named_and_nothing_is_left() throws Exception {
        startGateway("GST_PLUGIN_SYSTEM_PATH_1_0=" + folder.newFolder("no plugins"));
        assertEquals(
                List.of("GStreamer is not installed or incomplete (no element \"appsrc\"); the Debian packages are"
                        + " gstreamer1.0-plugins-base and gstreamer1.0-plugins-good"),
                runAndFail("example:png " + folder.getRoot() + "/card.png"));
        Framework.await(List.of(), this::held);
    }

    /** Eight bars, white to black, over a ramp of greys: ARGB, row after row. */
    private static int[] expectedPixels() {
        int[] bars = {0xFFFFFFFF, 0xFFFFFF00, 0xFF00FFFF, 0xFF00FF00, 0xFFFF00FF, 0xFFFF0000, 0xFF0000FF, 0xFF000000};
        int[] pixels = new int[WIDTH * HEIGHT];
        for (int i = 0; i < pixels.length; i++) {
            int x = i % WIDTH;
            pixels[i] = i / WIDTH < 360 ? bars[x / 80] : 0xFF000000 | x * 255 / 639 * 0x010101;
        }
        return pixels;
    }

    private void startGateway(String... environment) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(HOME.resolve("bin/gateway").toString()).redirectError(err.toFile());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        // GStreamer's list of its plugins, which it would otherwise keep in the home folder.
        builder.environment().put("GST_REGISTRY_1_0", folder.getRoot() + "/registry");
        for (String variable : environment) {
            String[] pair = variable.split("=", 2);
            builder.environment().put(pair[0], pair[1]);
        }
        Process started = builder.start();
        // Ends a gateway that hangs, so that the wait for its answer ends too. A test takes some seconds.
        started.onExit().orTimeout(120, TimeUnit.SECONDS).exceptionally(_ -> started.destroyForcibly());
        gateway = started;
        out = gateway.inputReader(StandardCharsets.UTF_8);
        run("felix:start " + Gateway.dropIn("gstreamer-png").toUri());
    }

    /** Runs a command to its end and returns its output. */
    private List<String> run(String command) throws Exception {
        List<String> printed = runToEnd(command);
        assertEquals(command, "", Files.readString(err));
        return printed;
    }

    /**
     * Runs a command that must fail, and returns its message. It catches the failure, which would otherwise end the
     * gateway.
     */
    private List<String> runAndFail(String command) throws Exception {
        return runToEnd("try { " + command + "; echo it did not fail } { echo ($exception message) }");
    }

    private List<String> runToEnd(String command) throws Exception {
        String end = "end of command " + ++commands;
        gateway.getOutputStream().write((command + "\necho " + end + "\n").getBytes(StandardCharsets.UTF_8));
        gateway.getOutputStream().flush();
        List<String> printed = new ArrayList<>();
        for (String line = out.readLine(); !end.equals(line); line = out.readLine()) {
            assertTrue(command + " ended the gateway, or hung: " + printed + Files.readString(err), line != null);
            printed.add(line);
        }
        return printed;
    }

    /**
     * Returns the descriptors and mappings of memfds in the gateway's process, as the kernel lists them. The region
     * that the contiguous heap has from its start is left out.
     */
    private List<String> held() throws IOException {
        Path process = Path.of("/proc", String.valueOf(gateway.pid()));
        List<String> found = new ArrayList<>();
        try (Stream<Path> descriptors = Files.list(process.resolve("fd"))) {
            for (Path descriptor : descriptors.toList()) {
                try {
                    found.add(descriptor.getFileName() + " " + Files.readSymbolicLink(descriptor));
                } catch (NoSuchFileException e) {
                    // closed since the listing
                }
            }
        }
        found.addAll(Files.readAllLines(process.resolve("maps")));
        found.removeIf(line -> !line.contains("/memfd:") || line.matches(".*/memfd:(carveout|cma) .*"));
        return found;
    }

    /** Looks for the plugins without the code under test, because that code must not decide whether it is tested. */
    private static boolean hasPngEncoder() throws IOException {
        String plugin = "gstreamer-1.0/libgstpng.so";
        for (String root : List.of("/usr/lib", "/usr/lib64", "/usr/local/lib")) {
            if (Files.isDirectory(Path.of(root))) {
                try (Stream<Path> folders = Files.list(Path.of(root))) { // one folder for each architecture
                    if (Stream.concat(Stream.of(Path.of(root)), folders)
                            .anyMatch(folder -> Files.exists(folder.resolve(plugin)))) {
                        return true;
                    }
                }
            }
        }
        return false;
    }
}
