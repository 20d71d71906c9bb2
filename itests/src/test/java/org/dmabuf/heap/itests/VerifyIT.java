// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of an operator's verification of heaps in a gateway that serves. */
public class VerifyIT {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private UnpackedGateway gateway;
    private Path socket;

    @Before
    public void start() throws Exception {
        gateway = UnpackedGateway.in(folder.newFolder().toPath());
        Files.copy(gateway.home().resolve("optional/heap-tck.jar"), gateway.dropped("heap-tck.jar"));
        Files.copy(gateway.home().resolve("examples/vendor-heap.jar"), gateway.dropped("vendor-heap.jar"));
        drop(TestBundle.lyingHeap("org.example.lying"), "lying.jar");
        socket = folder.newFolder().toPath().resolve("control");
        gateway.startDaemon("--socket", socket.toString());
        gateway.awaitLogLine("the gateway is up");
    }

    private void drop(TestBundle bundle, String file) throws Exception {
        try (InputStream jar = bundle.jar()) {
            Files.copy(jar, gateway.dropped(file));
        }
    }

    @After
    public void stop() throws Exception {
        gateway.terminate();
        gateway.close();
    }

    @Test
    public void a_heap_is_verified_by_the_kit_in_the_archive_with_counts_and_an_exit_status() throws Exception {
        String before = run(0, "dmaheap:dump");

        String good = run(0, "dmaheap:verify --dynamics acme");
        assertTrue(good, good.startsWith("verifying heap 'acme' of bundle org.example.acme.heap, "));
        assertTrue(good, good.contains("\npassed   a new buffer of 4096 bytes is all zero\n"));
        assertTrue(good, good.contains("\npassed   a buffer is usable after an update of its bundle\n"));
        assertTrue(good, good.lines().anyMatch(line -> line.matches("[0-9]+ passed, 0 failed, [0-9]+ skipped")));
        assertTrue(good, good.lines().allMatch(line -> line.length() <= 80));

        String bad = run(1, "dmaheap:verify --quiet lying");
        assertTrue(bad, bad.contains("\nfailed   a descriptor is a dma buf if and only if the heap announces it: "));
        assertTrue(bad, bad.contains("heap 'lying' breaks the contract: "));
        assertTrue(bad, bad.contains(" passed, 1 failed, "));
        assertTrue(run(1, "dmaheap:verify --json lying").contains("\"failed\":1,"));

        assertEquals(0, control("status").status());
        assertEquals(before, run(0, "dmaheap:dump"));
    }

    @Test
    public void a_heap_that_goes_fails_the_rest_and_one_with_a_namesake_is_not_stopped() throws Exception {
        String unknown = run(1, "dmaheap:verify nowhere");
        assertTrue(unknown, unknown.contains("unknown heap 'nowhere': expected one of "));

        drop(TestBundle.vanishingHeap(), "vanishing.jar");
        awaitListed("vanishing");
        String gone = run(1, "dmaheap:verify --dynamics vanishing").replaceAll("\\s+", " ");
        assertTrue(gone, gone.contains("passed a new buffer of 4096 bytes is all zero"));
        assertTrue(gone, gone.contains("no heap of this name is registered; see dmaheap:list"));
        assertTrue(gone, gone.contains("failed restarts of the bundle leave nothing behind: not run: "));
        assertTrue(run(1, "dmaheap:verify vanishing").contains("unknown heap 'vanishing'"));

        drop(TestBundle.lyingHeap("org.example.namesake"), "namesake.jar");
        awaitListed("shadowed");
        String two = run(1, "dmaheap:verify --dynamics lying").replaceAll("\\s+", " ");
        assertTrue(two, two.contains("of bundle org.example.lying, "));
        assertTrue(two, two.contains("bundle org.example.namesake has a heap of the same name"));
        assertEquals(0, control("status").status());
    }

    private void awaitListed(String word) throws Exception {
        long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        String list = run(0, "dmaheap:list");
        while (!list.contains(word)) {
            assertTrue(list, System.nanoTime() < end);
            Thread.sleep(100);
            list = run(0, "dmaheap:list");
        }
    }

    private String run(int status, String command) throws Exception {
        UnpackedGateway.Ended ended = control("--attach", command);
        assertEquals(ended.output() + gateway.log(), status, ended.status());
        return ended.output();
    }

    private UnpackedGateway.Ended control(String... arguments) throws Exception {
        String[] words = new String[arguments.length + 2];
        words[0] = "--socket";
        words[1] = socket.toString();
        System.arraycopy(arguments, 0, words, 2, arguments.length);
        return gateway.runToEnd(Map.of(), words);
    }
}
