// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests of the distributed gateway on the processor and the page size of the guest: a file in a buffer, and programs
 * that are not bundles, compiled by kernel/run for this processor. All use one gateway, because its start is slow.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ProgramsIT {
    private static final int SIZE = 10_000;
    private static final long WHOLE_PAGES = Bytes.wholePages(SIZE);
    private static final Path CHECKOUT = Path.of(System.getenv("CHECKOUT"));
    private static final String NODE = "/dev/dma_heap/of-the-gateway";

    @TempDir
    static Path folder;

    private GatewayProcess gateway;
    private Path socket;

    @BeforeAll
    void start_the_gateway() throws Exception {
        gateway = GatewayProcess.in(folder);
        socket = folder.resolve("native.socket");
        Files.write(
                gateway.home().resolve("etc/org.dmabuf.heap.native.cfg"),
                List.of("path = " + socket, "allow = system=uid:0"));
        gateway.start();
        gateway.await("dmaheap:list", "system +system .* yes +serving .*");
        gateway.awaitLog(".*native clients are served at .*");
    }

    @AfterAll
    void the_gateway_ends() throws Exception {
        try {
            gateway.end();
        } finally {
            gateway.close();
        }
    }

    private static Path program(String name) {
        String built = System.getenv("PROGRAMS");
        assumeTrue(built != null, "skipped: kernel/run found no C compiler for the guest");
        return Path.of(built).resolve(name);
    }

    private Process start(String... command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment()
                .put("PYTHONPATH", CHECKOUT.resolve("clients/python").toString());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().put("AGENT_JAVA_OPTS", "-XX:TieredStopAtLevel=1");
        return builder.start();
    }

    @Test
    void a_loaded_file_has_its_checksum_in_a_buffer_of_whole_pages() throws Exception {
        byte[] content = Arrays.copyOf(Files.readAllBytes(Path.of("/proc/self/exe")), SIZE);
        String loaded = gateway.run("dmaheap:load -n picture " + Files.write(folder.resolve("file"), content));
        String sum =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        for (String way : List.of("the mapping", "an exported descriptor")) {
            assertTrue(loaded.contains(sum + "  (through " + way + ")"), () -> sum + " is not in " + loaded);
        }
        assertEquals(List.of("%08d".formatted(WHOLE_PAGES)), GatewayIT.kernelsBuffers("picture"));
        gateway.run("dmaheap:free picture");
        assertEquals(List.of(), GatewayIT.kernelsBuffers("picture"));
    }

    private void assertHoldsADmaBuf(String... client) throws Exception {
        Process program = start(client);
        try (BufferedReader out = program.inputReader(StandardCharsets.UTF_8)) {
            assertEquals(WHOLE_PAGES + " dma-buf system 0", out.readLine());
            assertEquals(1, GatewayIT.kernelsBuffers("frame@" + program.pid()).size());
        } finally {
            program.destroyForcibly().waitFor();
        }
    }

    @Test
    void a_program_in_python_gets_a_dma_buf_of_whole_pages() throws Exception {
        Path client = CHECKOUT.resolve("heap-native/src/test/resources/client.py");
        String size = Integer.toString(SIZE);
        assertHoldsADmaBuf("python3", "-B", client.toString(), socket.toString(), "allocate", size, "system");
    }

    @Test
    void a_program_in_c_gets_a_dma_buf_of_whole_pages() throws Exception {
        String client = program("client").toString();
        assertHoldsADmaBuf(client, socket.toString(), "allocate", Integer.toString(SIZE), "system");
    }

    @Test
    void a_program_that_knows_only_the_kernel_gets_its_results_except_for_read_only_descriptors() throws Exception {
        String client = program("dma-heap-client").toString();
        // The null device, as for a service. A node in a namespace of the program has another path here, because the
        // guest runs its tests in a folder of its first root.
        Files.createDirectories(Path.of(NODE).getParent());
        GatewayProcess.run("mknod", NODE, "c", "1", "3");
        Path agents = folder.resolve("agent.socket");
        Path settings = folder.resolve("agent.properties");
        Map<String, String> set = Map.of(
                "gateway.socket",
                socket.toString(),
                "run.socket",
                agents.toString(),
                "oci.socket",
                "",
                "node." + NODE,
                "dma-heap system");
        Files.write(settings, set.entrySet().stream().map(Object::toString).toList());
        Path bin = gateway.home().resolve("bin");
        Process agent = start(bin.resolve("dmaheap-agent").toString(), settings.toString());
        try {
            GatewayIT.awaitFile(agents);
            Process program =
                    start(bin.resolve("dmaheap-run").toString(), "--socket", agents.toString(), "--", client, NODE);
            String rows = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            program.waitFor();
            assertTrue(rows.contains("the buffer is a dma-buf\n"), rows);
            // The gateway's dma-buf is open for writing, and cannot be opened again.
            assertEquals(
                    List.of(
                            "DIFFERS (fcntl(buffer, F_GETFL) & O_ACCMODE) == O_RDONLY: EPROTO, expected 0",
                            "DIFFERS writable map of a read-only buffer: 0, expected EACCES"),
                    rows.lines().filter(row -> row.startsWith("DIFFERS")).toList());
            assertTrue(rows.endsWith("\n2 rows differ\n"), rows);
        } finally {
            agent.destroy();
            agent.waitFor();
            Files.delete(Path.of(NODE));
        }
    }
}
