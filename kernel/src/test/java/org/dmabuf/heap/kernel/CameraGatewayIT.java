// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.dmabuf.heap.kernel.CameraConstraintsIT.ANY_MEMORY;
import static org.dmabuf.heap.kernel.CameraConstraintsIT.DMABUF;
import static org.dmabuf.heap.kernel.CameraConstraintsIT.HUGE_PAGES;
import static org.dmabuf.heap.kernel.CameraConstraintsIT.ONE_RUN;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.device.DeviceFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the distributed gateway with its optional bundles: commands on the kernel's virtual cameras. */
class CameraGatewayIT {
    private static final long PATIENCE_NANOS = 90_000_000_000L;

    @TempDir
    Path folder;

    private GatewayProcess gateway;

    @BeforeAll
    static void huge_pages_are_set_aside() throws IOException {
        Files.writeString(HUGE_PAGES, "16");
    }

    @BeforeEach
    void unpack() throws Exception {
        gateway = GatewayProcess.in(folder);
        Path home = gateway.home();
        for (String bundle : List.of("device-constraints.jar", "device-v4l2.jar")) {
            Files.copy(
                    home.resolve("optional").resolve(bundle),
                    home.resolve("deploy").resolve(bundle));
        }
        Path built = Path.of(System.getenv("CHECKOUT"), "examples/camera/target");
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(built, "camera-*.jar")) {
            Files.copy(jars.iterator().next(), home.resolve("deploy/camera.jar"));
        }
        Files.writeString(home.resolve("etc/org.dmabuf.heap.system.contig.cfg"), "backend = huge-page\n");
    }

    @AfterEach
    void close() {
        gateway.close();
    }

    private static void assertLine(String expected, String printed) {
        assertTrue(printed.lines().anyMatch(line -> line.matches(expected)), () -> expected + " in:\n" + printed);
    }

    @Test
    void a_camera_that_takes_pieces_gets_the_usual_heap_which_is_not_proven() throws Exception {
        gateway.start();
        gateway.await("dmaheap:constraints " + ANY_MEMORY, ANY_MEMORY + " +dmabuf +true .*");
        assertLine("system +accepted +accepted.*", gateway.run("dmaheap:probe " + ANY_MEMORY));
        String report = gateway.run("dmaheap:constraints " + ANY_MEMORY);
        assertLine(ANY_MEMORY + " +size\\.min .*present format .*", report);
        assertLine("heaps +system, .*", report);
        assertLine("system: permitted, not proven: " + ANY_MEMORY + " states no address and no sg.*", report);
        assertLine(
                "for " + ANY_MEMORY + ": system 12 of 12 frames of .*",
                gateway.run("example:camera --for " + ANY_MEMORY));
        gateway.end();
    }

    /** In a guest with memory above 4 GiB the kernel can copy from the heap of physical runs, too. */
    @Test
    void a_camera_that_needs_one_run_gets_it_after_a_typed_probe() throws Exception {
        gateway.start();
        gateway.await("dmaheap:constraints " + ONE_RUN, "system-contig: permitted, not proven: .* states no address");
        String probed = gateway.run("dmaheap:probe " + ONE_RUN);
        assertLine("system +(refused|bounced) .*", probed);
        String report = gateway.run("dmaheap:constraints " + ONE_RUN);
        assertLine(ONE_RUN + " +not-heap +system .*", report);
        if (probed.lines().anyMatch(line -> line.matches("system-contig +accepted .*"))) {
            assertLine(
                    "for " + ONE_RUN + ": system-contig 12 of 12 frames of .*",
                    gateway.run("example:camera --for " + ONE_RUN));
        } else {
            assertLine(ONE_RUN + " +not-heap +system-contig .*", report);
        }
        assertNotEquals("forgotten answers of " + ONE_RUN + ": 0\n", gateway.run("dmaheap:probe --forget " + ONE_RUN));
        assertLine("heaps +system, .*", gateway.run("dmaheap:constraints " + ONE_RUN));
        gateway.end();
    }

    @Test
    void a_camera_is_free_and_as_it_was_after_a_kill_within_a_probe() throws Exception {
        byte[] before = CameraConstraintsIT.format(ONE_RUN);
        gateway.start();
        gateway.await("dmaheap:constraints " + ONE_RUN, ONE_RUN + " +dmabuf +true .*");
        for (int i = 0; i < 200; i++) {
            gateway.begin("dmaheap:probe --json --heap system " + ONE_RUN);
        }
        try (DeviceFile other = DeviceFile.open(ONE_RUN)) {
            stopWithinAnAttachment(other);
            gateway.kill();
            assertEquals(0, CameraConstraintsIT.request(other, 1, DMABUF));
            assertEquals(0, CameraConstraintsIT.request(other, 0, DMABUF));
        }
        assertArrayEquals(before, CameraConstraintsIT.format(ONE_RUN));
        assertEquals(List.of(), GatewayIT.kernelsBuffers("probe"));
    }

    /** Stops the gateway again and again, until it has the queue of the camera at that moment. */
    private void stopWithinAnAttachment(DeviceFile other) throws Exception {
        long end = System.nanoTime() + PATIENCE_NANOS;
        while (true) {
            signal("STOP");
            while (!isStopped()) {
                Thread.onSpinWait();
            }
            int result = CameraConstraintsIT.request(other, 1, DMABUF);
            if (result == -Errno.EBUSY.number()) {
                return;
            }
            assertEquals(0, result);
            assertEquals(0, CameraConstraintsIT.request(other, 0, DMABUF));
            assertTrue(System.nanoTime() < end, "the gateway is never within an attachment: " + gateway.log());
            signal("CONT");
        }
    }

    private void signal(String name) throws Exception {
        GatewayProcess.run("sh", "-c", "kill -" + name + " " + gateway.pid());
    }

    private boolean isStopped() throws IOException {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + gateway.pid() + "/task"))) {
            for (Path thread : threads) {
                if (!Files.readString(thread.resolve("status")).contains("\nState:\tT")) {
                    return false;
                }
            }
        }
        return true;
    }
}
