// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests of the distributed gateway: the source of its memory on a machine with devices, without devices, and without
 * permissions.
 */
class GatewayIT {
    private static final Path BUFFERS = Path.of("/sys/kernel/debug/dma_buf/bufinfo");
    private static final String TEN_THOUSAND_BYTES = "%08d".formatted(Bytes.wholePages(10_000));
    private static final String NOBODY = "65534";
    private static final String GIVE_THE_NODE = "; it belongs to .*; give this process access by"
            + " an ACL, as the gateway's udev rule 60-dmaheap\\.rules does";

    @TempDir
    Path folder;

    private GatewayProcess gateway;

    @BeforeEach
    void unpack() throws Exception {
        gateway = GatewayProcess.in(folder);
    }

    @AfterEach
    void close() {
        gateway.close();
    }

    private void configureNode(String file, String text) throws IOException {
        Files.writeString(gateway.home().resolve("etc").resolve(file), text);
    }

    private Path dropped() {
        return gateway.home().resolve("deploy/node-heap.jar");
    }

    private void drop() throws IOException {
        Files.copy(gateway.home().resolve("examples/node-heap.jar"), dropped());
    }

    /** {@return sizes of the kernel's buffers of a name, whatever process holds them} */
    static List<String> kernelsBuffers(String name) throws IOException {
        return Files.readAllLines(BUFFERS).stream()
                .map(line -> line.split("\t"))
                .filter(columns -> columns.length == 7 && columns[6].equals(name))
                .map(columns -> columns[0].strip())
                .toList();
    }

    /** Returns the reason why the heap takes its memory from no better back end, which is logged once. */
    private void assertLogged(String expected) throws IOException {
        List<String> lines = gateway.log()
                .lines()
                .filter(line -> line.contains("takes its memory from"))
                .toList();
        assertEquals(1, lines.size(), gateway.log());
        assertTrue(lines.getFirst().matches(expected), lines.getFirst());
    }

    @Test
    void the_gateway_takes_the_kernels_heap_and_serves_a_vendors_that_is_dropped_in() throws Exception {
        byte[] picture = Files.readAllBytes(Path.of("/proc/self/exe"));
        Path file = Files.write(folder.resolve("frame.yuv"), Arrays.copyOf(picture, 10_000));
        gateway.start();
        gateway.await("dmaheap:list", "system +system +dma-heap +yes +serving .*");
        assertFalse(gateway.log().contains("takes its memory from"), gateway.log()); // it already is the best back end
        String loaded = gateway.run("dmaheap:load -n picture " + file);
        assertTrue(loaded.contains("  (through an exported descriptor)"), loaded);
        assertEquals(List.of(TEN_THOUSAND_BYTES), kernelsBuffers("picture"));

        configureNode("org.example.node-camera.cfg", "node = system\nheap.name = camera\nheap.id = 7\n");
        configureNode("org.example.node-lost.cfg", "node = lost\nheap.id = 8\n");
        drop();
        gateway.await("dmaheap:list", "camera +node +dma-heap +yes +serving .*");
        gateway.awaitLog(".*heap 'lost' is not announced yet: open\\(/dev/dma_heap/lost\\) failed: .*"
                + "; load its module, or take a kernel that has this heap.*");
        gateway.await("dmaheap:list", "lost .* waiting .*");
        gateway.run("dmaheap:alloc -h camera -r '(heap.dmabuf=true)' -n frame 64K");
        gateway.await("dmaheap:buffers", "frame +64 KiB +camera +dma-heap +yes .*");
        assertEquals(List.of("00065536"), kernelsBuffers("frame"));

        Files.delete(dropped());
        gateway.await("dmaheap:list", "camera .* departed .* 64 KiB +0 bytes");
        assertEquals(List.of("00065536"), kernelsBuffers("frame"));
        gateway.run("dmaheap:free frame");
        assertEquals(List.of(), kernelsBuffers("frame"));
        gateway.end();
        assertEquals(List.of(), kernelsBuffers("picture"));
    }

    @Test
    void a_user_without_access_to_devices_gets_memfds_and_a_remedy_in_the_log() throws Exception {
        GatewayProcess.run("chown", "-R", NOBODY + ":" + NOBODY, folder.toString());
        gateway.start("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups");
        gateway.await("dmaheap:list", "system +system +memfd +no +serving .*");
        assertLogged(".*heap 'system' takes its memory from memfd, since open\\(/dev/dma_heap/system\\) failed: .*"
                + GIVE_THE_NODE + "; and open\\(/dev/udmabuf\\) failed: .*" + GIVE_THE_NODE);
        gateway.end();
    }

    @Test
    void a_permission_that_comes_later_is_used_without_a_restart_and_buffers_stay() throws Exception {
        GatewayProcess.run("chown", "-R", NOBODY + ":" + NOBODY, folder.toString());
        gateway.start("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups");
        gateway.await("dmaheap:list", "system +system +memfd +no +serving .*");
        gateway.run("dmaheap:alloc -h system -n frame 64K");
        try {
            GatewayProcess.run("chmod", "666", "/dev/dma_heap/system");
            gateway.await("dmaheap:list", "system +system +dma-heap +yes +serving .*");
            gateway.awaitLog(".*heap 'system': back end dma-heap works now; the heap is opened anew.*");
            gateway.await("dmaheap:buffers", "frame +64 KiB +system +memfd +no .*");
            gateway.run("dmaheap:free frame");
        } finally {
            GatewayProcess.run("chmod", "600", "/dev/dma_heap/system");
        }
        gateway.end();
    }

    @Test
    void without_the_kernels_heaps_the_gateway_uses_udmabuf_and_a_vendors_heap_reports_the_missing_device()
            throws Exception {
        configureNode("org.example.node.cfg", "node = system\nheap.name = camera\n");
        drop();
        gateway.start("unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev/dma_heap && exec \"$@\"", "sh");
        gateway.await("dmaheap:list", "system +system +udmabuf +yes +serving .*");
        assertLogged(".*heap 'system' takes its memory from udmabuf, since open\\(/dev/dma_heap/system\\) failed: .*"
                + "; load its module, or take a kernel that has this heap \\(CONFIG_DMABUF_HEAPS\\), and give a"
                + " container the node \\(--device=/dev/dma_heap/system\\)");
        gateway.awaitLog(".*heap 'camera' is not announced yet: open\\(/dev/dma_heap/system\\) failed: .*"
                + "; load its module, or take a kernel .*");
        gateway.await("dmaheap:list", "camera .* waiting .*");
        gateway.end();
    }

    @Test
    void after_a_kill_peers_keep_their_memory_and_the_next_gateway_reuses_home_and_socket() throws Exception {
        byte[] content = Arrays.copyOf(Files.readAllBytes(Path.of("/proc/self/exe")), 10_000);
        Path file = Files.write(folder.resolve("frame.yuv"), content);
        Path socket = folder.resolve("socket");
        configureNode("org.dmabuf.heap.carveout-camera.cfg", "size = 4M\n");
        gateway.start();
        gateway.await("dmaheap:list", "camera .* udmabuf +yes +serving .*");
        gateway.run("dmaheap:load -h system -n one " + file);
        gateway.run("dmaheap:load -h camera -n two " + file);
        Process holder = holder(file, folder.resolve("one"), folder.resolve("two"));
        try {
            gateway.run("dmaheap:share one " + folder.resolve("one"));
            gateway.run("dmaheap:share two " + folder.resolve("two"));
            assertEquals("held", said(holder));
            gateway.begin("dmaheap:share one " + socket);
            awaitFile(socket);
            gateway.kill();
            List<Path> left = caches();
            assertEquals(1, left.size());
            ask(holder);
            assertEquals("readable", said(holder));
            assertEquals(List.of(TEN_THOUSAND_BYTES), kernelsBuffers("one"));
            assertEquals(List.of(TEN_THOUSAND_BYTES), kernelsBuffers("two"));

            gateway.start();
            gateway.await("dmaheap:list", "camera .* udmabuf +yes +serving .*");
            assertEquals(1, caches().size());
            assertFalse(caches().contains(left.getFirst()), left.toString());
            gateway.run("dmaheap:load -h camera -n three " + file);
            Process other = holder(file, socket);
            try {
                gateway.run("dmaheap:share three " + socket);
                assertEquals("held", said(other));
            } finally {
                other.destroyForcibly().waitFor();
            }
            assertFalse(Files.exists(socket));
        } finally {
            holder.destroyForcibly().waitFor();
        }
        assertEquals(List.of(), kernelsBuffers("one"));
        assertEquals(List.of(), kernelsBuffers("two"));
        gateway.end();
        assertEquals(List.of(), kernelsBuffers("three"));
    }

    /** A process that maps each received buffer, and compares it with the file on request. */
    private Process holder(Path file, Path... sockets) throws IOException {
        Path script = Files.writeString(folder.resolve("peer.py"), """
                import mmap, os, socket, sys, time
                content = open(sys.argv[1], "rb").read()
                held = []
                for path in sys.argv[2:]:
                    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
                        while peer.connect_ex(path):
                            time.sleep(0.1)
                        text, (fd,), _, _ = socket.recv_fds(peer, 256, 1)
                    held.append(mmap.mmap(fd, int(text.split()[2])))
                    os.close(fd)
                print("held", flush=True)
                for _ in sys.stdin:
                    same = all(memory[:len(content)] == content for memory in held)
                    print("readable" if same else "changed", flush=True)
                """);
        List<String> command = new ArrayList<>(List.of("python3", "-S", script.toString(), file.toString()));
        for (Path socket : sockets) {
            command.add(socket.toString());
        }
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private static void ask(Process holder) throws IOException {
        holder.outputWriter(StandardCharsets.UTF_8).append('\n').flush();
    }

    private static String said(Process holder) throws IOException {
        return holder.inputReader(StandardCharsets.UTF_8).readLine();
    }

    static void awaitFile(Path file) throws InterruptedException {
        long end = System.nanoTime() + GatewayProcess.PATIENCE.toNanos();
        while (!Files.exists(file)) {
            assertTrue(System.nanoTime() < end, () -> "missing file: " + file);
            Thread.sleep(50);
        }
    }

    private List<Path> caches() throws IOException {
        try (Stream<Path> folders = Files.list(gateway.home().resolve("cache"))) {
            return folders.toList();
        }
    }
}
