// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.dmabuf.heap.itests.NodeGateway.ACME;
import static org.dmabuf.heap.itests.NodeGateway.SYSTEM;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.BeforeClass;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/**
 * Tests of plain programs that know only the kernel's ABI: gateway, agent and launcher as an operator runs them. Root
 * starts one program as root, one by {@code --user}, and one as an ordinary user; another user starts only its own.
 */
public class NativeProgramsIT {
    private static final String GIVEN_USER = "1234";
    private static final String ORDINARY_USER = "65534";

    /** Program of one user. */
    private record Client(String user, NodeProgram program) {}

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private final List<NodeProgram> started = new ArrayList<>();
    private String self;
    private Path root;
    private Path program;
    private NodeGateway gateway;

    @BeforeClass
    public static void a_compiler_is_installed() throws Exception {
        if (!NodeProgram.installed("cc")) {
            assertFalse("a C compiler is not installed", "true".equals(System.getenv("CI")));
            System.out.println("skipped: a C compiler is not installed");
            assumeTrue("a C compiler is needed", false);
        }
    }

    @Before
    public void start() throws Exception {
        root = folder.getRoot().toPath();
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
        self = Files.getAttribute(root, "unix:uid").toString();
        program = NodeProgram.compile(root.resolve("program"));
        gateway = new NodeGateway(root, "acme=uid:*", "uid:*=2M");
    }

    @After
    public void stop() throws Exception {
        for (NodeProgram each : started) {
            each.remove();
        }
        if (gateway != null) {
            gateway.close();
        }
    }

    /** Starts a program of each user that can be had here. */
    private List<Client> clients() throws Exception {
        if (!self.equals("0")) {
            return List.of(client(self, List.of(), List.of()));
        }
        return List.of(
                client(self, List.of(), List.of()),
                client(GIVEN_USER, List.of(), List.of("--user", GIVEN_USER + ":" + GIVEN_USER)),
                client(
                        ORDINARY_USER,
                        List.of("setpriv", "--reuid", ORDINARY_USER, "--regid", ORDINARY_USER, "--clear-groups"),
                        List.of()));
    }

    private Client client(String user, List<String> before, List<String> options) throws Exception {
        Client client = new Client(user, launch(before, options));
        client.program().awaitReady();
        return client;
    }

    private NodeProgram launch(List<String> before, List<String> options) throws Exception {
        List<String> command = new ArrayList<>(before);
        command.add(gateway.gateway().home().resolve("bin/dmaheap-run").toString());
        command.addAll(List.of("--socket", gateway.launchers().toString()));
        command.addAll(options);
        command.addAll(List.of("--", program.toString()));
        NodeProgram launched = new NodeProgram(command, folder.newFile().toPath());
        started.add(launched);
        return launched;
    }

    private void awaitNoCharge() throws Exception {
        for (NodeProgram each : started) {
            assertEquals(each.errors(), 0, each.await());
        }
        gateway.awaitNoCharge("uid:");
    }

    @Test
    public void a_vendors_heap_that_is_dropped_in_serves_programs_that_run_until_it_is_pulled_out() throws Exception {
        List<Client> clients = clients();
        for (Client client : clients) {
            assertEquals("ENODEV", client.program().run("alloc " + ACME + " 4096"));
        }
        gateway.dropInVendorsHeap();
        for (Client client : clients) {
            assertEquals("ok", client.program().run("alloc " + ACME + " 1048576"));
        }
        String charges = gateway.gateway().run("dmaheap:clients --json");
        String buffers = gateway.gateway().run("dmaheap:dump --json");
        for (Client client : clients) {
            assertTrue(charges, charges.contains("\"uid:" + client.user() + "\""));
            String process = "process " + client.program().process().pid();
            assertTrue(buffers, buffers.contains("\"origin\":\"" + process + " of "));
            assertEquals("EACCES", client.program().run("alloc " + SYSTEM + " 4096"));
            assertEquals("EINVAL", client.program().run("alloc " + ACME + " 0"));
            assertEquals("ok", client.program().run("alloc " + ACME + " 1048576"));
            assertEquals("ENOMEM", client.program().run("alloc " + ACME + " 4096"));
        }
        gateway.pullOutVendorsHeap();
        for (Client client : clients) {
            assertEquals("ENODEV", client.program().run("alloc " + ACME + " 4096"));
            assertEquals("ok", client.program().run("check"));
        }
        awaitNoCharge();
    }

    @Test
    public void programs_outlive_a_gateway_that_is_killed_and_allocate_from_the_next_one() throws Exception {
        gateway.dropInVendorsHeap();
        List<Client> clients = clients();
        for (Client client : clients) {
            assertEquals("ok", client.program().run("alloc " + ACME + " 1048576"));
        }
        gateway.gateway().kill();
        for (Client client : clients) {
            assertEquals("ENODEV", client.program().run("alloc " + ACME + " 1048576"));
        }
        gateway.startAnother();
        gateway.gateway().await("dmaheap:list", "acme .* serving .*");
        for (Client client : clients) {
            assertEquals("ok", client.program().run("alloc " + ACME + " 1048576"));
            assertEquals("ok", client.program().run("check"));
        }
        awaitNoCharge();
    }

    @Test
    public void after_the_agents_end_programs_keep_their_memory_and_new_ones_need_the_next_agent() throws Exception {
        gateway.dropInVendorsHeap();
        List<Client> clients = clients();
        for (Client client : clients) {
            assertEquals("ok", client.program().run("alloc " + ACME + " 1048576"));
        }
        gateway.stopAgent();
        for (Client client : clients) {
            assertEquals("ENOSYS", client.program().run("alloc " + ACME + " 4096"));
        }
        NodeProgram refused = launch(List.of(), List.of());
        started.remove(refused);
        assertEquals(125, refused.await());
        assertTrue(refused.errors(), refused.errors().contains("is dmaheap-agent running"));

        gateway.startAgent();
        for (Client client : clients()) {
            assertEquals("ok", client.program().run("alloc " + ACME + " 1048576"));
        }
        for (Client client : clients) {
            assertEquals("ENOSYS", client.program().run("alloc " + ACME + " 4096"));
            assertEquals("ok", client.program().run("check"));
        }
        awaitNoCharge();
    }
}
