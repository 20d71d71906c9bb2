// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of configurations that a bundle sets through Configuration Admin, beside those that files own. */
public class ConfigurationStoreIT {
    private static final String SYSTEM = "org.dmabuf.heap.system";

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private UnpackedGateway gateway;
    private Path state;
    private Path run;

    @Before
    public void start() throws Exception {
        gateway = UnpackedGateway.in(folder.newFolder("program").toPath());
        state = folder.getRoot().toPath().resolve("state");
        run = folder.getRoot().toPath().resolve("run");
        Files.copy(TestBundle.agent().jar(), gateway.dropped("agent.jar"));
        startDaemon();
    }

    @After
    public void stop() {
        gateway.close();
    }

    private void startDaemon() throws Exception {
        Files.deleteIfExists(run.resolve("control"));
        gateway.startDaemon("--state", state.toString(), "--run", run.toString());
        gateway.awaitLog("the gateway is up, process " + gateway.pid());
    }

    private void restart() throws Exception {
        assertEquals(128 + 15, gateway.terminate());
        startDaemon();
    }

    private UnpackedGateway.Ended attach(String command) throws Exception {
        return gateway.runToEnd(Map.of("DMAHEAP_RUN", run.toString()), "--attach", command);
    }

    private void awaitId(String id) throws Exception {
        Pattern line = Pattern.compile("^system +" + id + " +system .* serving ", Pattern.MULTILINE);
        Framework.await(
                true, () -> line.matcher(attach("dmaheap:list --wide").output()).find());
    }

    private Path file() {
        return gateway.home().resolve("etc").resolve(SYSTEM + ".cfg");
    }

    @Test
    public void a_configuration_of_an_agent_survives_a_restart_beside_a_file_with_comments_only() throws Exception {
        assertTrue(Files.readAllLines(file()).stream().allMatch(line -> line.isBlank() || line.startsWith("#")));
        assertEquals(0, attach("agent:set " + SYSTEM + " heap.id 9").status());
        awaitId("9");
        restart();
        awaitId("9");
    }

    @Test
    public void a_configuration_that_a_file_owns_is_read_only_and_goes_with_its_file() throws Exception {
        Files.writeString(file(), "heap.id = 7\n");
        awaitId("7");
        UnpackedGateway.Ended refused = attach("agent:set " + SYSTEM + " heap.id 9");
        assertEquals(refused.output(), 1, refused.status());
        assertTrue(refused.output(), refused.output().contains("read-only"));
        Files.writeString(file(), "heap.id = 8\n"); // the file itself can change it
        awaitId("8");
        restart();
        awaitId("8");

        assertEquals(128 + 15, gateway.terminate());
        Files.delete(file());
        startDaemon();
        awaitId("0");
        assertEquals(0, attach("agent:set " + SYSTEM + " heap.id 9").status());
        awaitId("9");
    }

    @Test
    public void another_gateway_on_the_same_folder_neither_reads_nor_changes_what_the_first_keeps() throws Exception {
        assertEquals(0, attach("agent:set " + SYSTEM + " heap.id 9").status());
        UnpackedGateway.Ended once =
                gateway.runToEnd(Map.of("DMAHEAP_STATE", state.toString()), "agent:set " + SYSTEM + " heap.id 5");
        assertEquals(once.output(), 0, once.status());
        try (UnpackedGateway second = gateway.another()) {
            second.startDaemon(
                    "--state",
                    state.toString(),
                    "--run",
                    run.resolveSibling("second").toString());
            second.awaitLog("configurations that bundles set end with this process: opening "
                    + state.resolve("configurations") + " failed: another gateway uses it; give this one a folder with"
                    + " --state");
            second.awaitLog("the gateway is up, process " + second.pid());
            assertEquals(128 + 15, second.terminate());
        }
        assertFalse(gateway.log(), gateway.log().contains("end with this process"));
        restart();
        awaitId("9");
    }
}
