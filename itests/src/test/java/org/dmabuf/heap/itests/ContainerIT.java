// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.dmabuf.heap.itests.NodeGateway.ACME;
import static org.dmabuf.heap.itests.NodeGateway.SYSTEM;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.BeforeClass;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of containers whose program knows only the kernel's ABI: gateway, agent and runc as an operator runs them. */
public class ContainerIT {
    /** x86-64's and arm64's number of ioctl, in /proc/PID/syscall. */
    private static final String IN_IOCTL = "(16|29) .*";

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private final List<Container> containers = new ArrayList<>();
    private Path image;
    private NodeGateway gateway;

    @BeforeClass
    public static void runc_is_installed() throws Exception {
        Container.requireRunc();
    }

    @Before
    public void start() throws Exception {
        image = Container.image(folder.newFolder().toPath());
        gateway = new NodeGateway(
                folder.newFolder().toPath(),
                "system=container:camera-app acme=container:camera-app system=container:viewer",
                "container:camera-app=8M container:viewer=1M");
    }

    @After
    public void stop() throws Exception {
        for (Container container : containers) {
            container.remove();
        }
        if (gateway != null) {
            gateway.close();
        }
    }

    /** Makes a container's settings by the shell's command, and starts the container. */
    private Container begin(String metadata) throws Exception {
        Path bundle = folder.newFolder().toPath();
        Path plain = Container.config(bundle.resolve("plain.json"), image);
        assertEquals(
                "",
                run("dmaheap:oci-profile --metadata " + metadata + " --socket " + gateway.containers() + " --nodes "
                        + SYSTEM + "," + ACME + " --out " + bundle.resolve("config.json") + " " + plain));
        Container container = Container.start(bundle);
        containers.add(container);
        return container;
    }

    private Container container(String metadata) throws Exception {
        Container container = begin(metadata);
        container.awaitReady();
        return container;
    }

    private String run(String command) throws Exception {
        return gateway.gateway().run(command);
    }

    @Test
    public void two_containers_allocate_at_once_each_within_its_own_quota_and_permissions() throws Exception {
        Container camera = container("camera-app");
        Container viewer = container("viewer");
        assertEquals("ok", camera.run("alloc " + SYSTEM + " 4194304"));
        assertEquals("ok", viewer.run("alloc " + SYSTEM + " 524288"));
        assertEquals("ENOMEM", viewer.run("alloc " + SYSTEM + " 4194304"));
        assertEquals("EACCES", viewer.run("alloc " + ACME + " 4096"));
        assertEquals("EINVAL", viewer.run("alloc " + SYSTEM + " 0"));
        assertEquals("ok", camera.run("alloc " + SYSTEM + " 4194304"));
        assertEquals("ENOMEM", camera.run("alloc " + SYSTEM + " 4096"));

        String clients = run("dmaheap:clients --json");
        assertTrue(clients, charge(clients, "container:camera-app").contains("Bytes\":8388608"));
        assertTrue(clients, charge(clients, "container:viewer").contains("Bytes\":524288"));

        assertEquals("ok", camera.run("free"));
        gateway.await(
                "free memory", () -> camera.run("alloc " + SYSTEM + " 8388608").equals("ok"));
        assertEquals(0, camera.await());
        assertEquals(0, viewer.await());
        gateway.awaitNoCharge("container:");
    }

    private static String charge(String clients, String name) {
        return clients.lines()
                .filter(line -> line.contains("\"" + name + "\""))
                .findFirst()
                .orElse("no " + name);
    }

    @Test
    public void a_vendors_heap_that_is_dropped_in_serves_a_container_that_runs() throws Exception {
        Container camera = container("camera-app");
        assertEquals("ENODEV", camera.run("alloc " + ACME + " 4096"));
        gateway.dropInVendorsHeap();
        assertEquals("ok", camera.run("alloc " + ACME + " 1048576"));
        gateway.gateway().await("dmaheap:dump", "acme .*camera-app .*");
        String dump = run("dmaheap:dump --json");
        assertTrue(dump, dump.contains("\"origin\":\"process " + camera.pid() + " of " + camera.id() + "\""));
        assertEquals(0, camera.await());
        gateway.awaitNoCharge("container:");
    }

    @Test
    public void a_container_that_is_killed_within_an_allocation_leaves_no_charge_and_others_are_served()
            throws Exception {
        Container camera = container("camera-app");
        Container viewer = container("viewer");
        assertEquals("ok", camera.run("alloc " + SYSTEM + " 1048576"));
        long process = camera.pid();
        signal("STOP");
        try {
            camera.send("alloc " + SYSTEM + " 1048576");
            Path syscall = Path.of("/proc", Long.toString(process), "syscall");
            gateway.await("the ioctl", () -> Files.readString(syscall).strip().matches(IN_IOCTL));
            camera.kill();
        } finally {
            signal("CONT");
        }
        assertEquals("ok", viewer.run("alloc " + SYSTEM + " 524288"));
        gateway.await("the end of the charge", () -> !run("dmaheap:dump --json").contains("container:camera-app"));
        assertEquals(0, viewer.await());
        gateway.awaitNoCharge("container:");
    }

    private void signal(String name) throws Exception {
        assertEquals(
                0,
                new ProcessBuilder(
                                "kill",
                                "-" + name,
                                Long.toString(gateway.gateway().pid()))
                        .start()
                        .waitFor());
    }

    @Test
    public void a_container_outlives_the_gateway_and_allocates_from_the_next_one() throws Exception {
        Container camera = container("camera-app");
        assertEquals("ok", camera.run("alloc " + SYSTEM + " 1048576"));
        gateway.gateway().endScript();
        assertEquals("ENODEV", camera.run("alloc " + SYSTEM + " 1048576"));
        gateway.startAnother();
        gateway.await(
                "the next gateway",
                () -> camera.run("alloc " + SYSTEM + " 1048576").equals("ok"));
        gateway.gateway().await("dmaheap:dump", "system .*camera-app .*");
        assertEquals(0, camera.await());
        gateway.awaitNoCharge("container:");
    }

    @Test
    public void without_the_agent_no_container_starts_and_those_that_run_have_no_heaps() throws Exception {
        Container camera = container("camera-app");
        gateway.stopAgent();
        assertEquals("ENOSYS", camera.run("alloc " + SYSTEM + " 4096"));

        Container refused = begin("viewer");
        assertNotEquals(0, refused.await());
        String sentence = refused.errors();
        assertTrue(sentence, sentence.contains(gateway.containers() + ": connect: "));

        gateway.startAgent();
        assertEquals("ok", container("viewer").run("alloc " + SYSTEM + " 4096"));
        assertEquals("ENOSYS", camera.run("alloc " + SYSTEM + " 4096"));
        assertFalse(gateway.agentLog().contains("camera-app"));
    }
}
