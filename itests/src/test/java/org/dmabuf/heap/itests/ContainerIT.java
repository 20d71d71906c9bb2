// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Before;
import org.junit.BeforeClass;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of containers whose program knows only the kernel's ABI: gateway, agent and runc as an operator runs them. */
public class ContainerIT {
    private static final long SECONDS = 60;
    private static final String SYSTEM = "/dev/dma_heap/system";
    private static final String ACME = "/dev/dma_heap/acme";
    /** x86-64's and arm64's number of ioctl, in /proc/PID/syscall. */
    private static final String IN_IOCTL = "(16|29) .*";

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private final List<Container> containers = new ArrayList<>();
    private Path root;
    private Path image;
    private Path settings;
    private UnpackedGateway gateway;
    private Process agent;

    @BeforeClass
    public static void runc_is_installed() throws Exception {
        Container.requireRunc();
    }

    @Before
    public void start() throws Exception {
        root = folder.getRoot().toPath();
        image = Container.image(root);
        gateway = UnpackedGateway.in(folder.newFolder().toPath());
        Path etc = gateway.home().resolve("etc");
        Files.writeString(
                etc.resolve("org.dmabuf.heap.native.cfg"),
                "path = " + root.resolve("native")
                        + "\nallow = system=container:camera-app acme=container:camera-app system=container:viewer\n");
        Files.writeString(
                etc.resolve("org.dmabuf.heap.broker.cfg"),
                "quota.client = container:camera-app=8M container:viewer=1M\n",
                StandardOpenOption.APPEND);
        settings = Files.writeString(
                root.resolve("agent.properties"),
                "gateway.socket = " + root.resolve("native") + "\noci.socket = " + root.resolve("oci")
                        + "\ngateway.wait = 1\nnode." + SYSTEM + " = dma-heap system\nnode." + ACME
                        + " = dma-heap acme\n");
        startGateway();
        startAgent();
    }

    @After
    public void stop() throws Exception {
        for (Container container : containers) {
            container.remove();
        }
        agent.destroyForcibly().waitFor();
        gateway.close();
    }

    private void startGateway() throws Exception {
        gateway.startScript();
        await("the socket", () -> Files.exists(root.resolve("native")));
    }

    private void startAgent() throws Exception {
        ProcessBuilder builder =
                new ProcessBuilder(gateway.home().resolve("bin/dmaheap-agent").toString(), settings.toString());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        agent = builder.redirectErrorStream(true)
                .redirectOutput(root.resolve("agent.log").toFile())
                .start();
        await("the agent", () -> Files.readString(root.resolve("agent.log")).contains("the agent is up"));
    }

    /** Makes a container's settings by the shell's command, and starts the container. */
    private Container begin(String metadata) throws Exception {
        Path bundle = folder.newFolder().toPath();
        Path plain = Container.config(bundle.resolve("plain.json"), image);
        assertEquals(
                "",
                gateway.run("dmaheap:oci-profile --metadata " + metadata + " --socket " + root.resolve("oci")
                        + " --nodes " + SYSTEM + "," + ACME + " --out " + bundle.resolve("config.json") + " " + plain));
        Container container = Container.start(bundle);
        containers.add(container);
        return container;
    }

    private Container container(String metadata) throws Exception {
        return begin(metadata).awaitReady();
    }

    private void await(String expected, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                fail(expected + " is not there after " + SECONDS + " s; gateway: " + gateway.log() + "\nagent: "
                        + Files.readString(root.resolve("agent.log")));
            }
            Thread.sleep(20);
        }
    }

    private void awaitNoCharge() throws Exception {
        await("the end of the charge", () -> !gateway.run("dmaheap:dump --json").contains("container:"));
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

        String clients = gateway.run("dmaheap:clients --json");
        assertTrue(clients, charge(clients, "container:camera-app").contains("Bytes\":8388608"));
        assertTrue(clients, charge(clients, "container:viewer").contains("Bytes\":524288"));

        assertEquals("ok", camera.run("free"));
        await("free memory", () -> camera.run("alloc " + SYSTEM + " 8388608").equals("ok"));
        assertEquals(0, camera.await());
        assertEquals(0, viewer.await());
        awaitNoCharge();
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
        Files.copy(gateway.home().resolve("examples/vendor-heap.jar"), gateway.dropped("vendor-heap.jar"));
        gateway.await("dmaheap:list", "acme .* serving .*");
        assertEquals("ok", camera.run("alloc " + ACME + " 1048576"));
        gateway.await("dmaheap:dump", "acme .*camera-app .*");
        assertEquals(0, camera.await());
        awaitNoCharge();
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
            await("the ioctl", () -> Files.readString(syscall).strip().matches(IN_IOCTL));
            camera.kill();
        } finally {
            signal("CONT");
        }
        assertEquals("ok", viewer.run("alloc " + SYSTEM + " 524288"));
        await("the end of the charge", () -> !gateway.run("dmaheap:dump --json").contains("container:camera-app"));
        assertEquals(0, viewer.await());
        awaitNoCharge();
    }

    private void signal(String name) throws Exception {
        assertEquals(
                0,
                new ProcessBuilder("kill", "-" + name, Long.toString(gateway.pid()))
                        .start()
                        .waitFor());
    }

    @Test
    public void a_container_outlives_the_gateway_and_allocates_from_the_next_one() throws Exception {
        Container camera = container("camera-app");
        assertEquals("ok", camera.run("alloc " + SYSTEM + " 1048576"));
        gateway.endScript();
        assertEquals("ENODEV", camera.run("alloc " + SYSTEM + " 1048576"));
        gateway = gateway.another();
        startGateway();
        await(
                "the next gateway",
                () -> camera.run("alloc " + SYSTEM + " 1048576").equals("ok"));
        gateway.await("dmaheap:dump", "system .*camera-app .*");
        assertEquals(0, camera.await());
        awaitNoCharge();
    }

    @Test
    public void without_the_agent_no_container_starts_and_those_that_run_have_no_heaps() throws Exception {
        Container camera = container("camera-app");
        agent.destroy();
        assertTrue(agent.waitFor(SECONDS, TimeUnit.SECONDS));
        assertEquals("ENOSYS", camera.run("alloc " + SYSTEM + " 4096"));

        Container refused = begin("viewer");
        assertNotEquals(0, refused.await());
        String sentence = refused.errors();
        assertTrue(sentence, sentence.contains(root.resolve("oci") + ": connect: "));

        Files.move(root.resolve("agent.log"), root.resolve("agent.log.1"), StandardCopyOption.REPLACE_EXISTING);
        startAgent();
        assertEquals("ok", container("viewer").run("alloc " + SYSTEM + " 4096"));
        assertEquals("ENOSYS", camera.run("alloc " + SYSTEM + " 4096"));
        assertFalse(Files.readString(root.resolve("agent.log")).contains("camera-app"));
    }
}
