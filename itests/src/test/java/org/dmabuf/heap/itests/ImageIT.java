// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.ClassRule;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the gateway's image as an operator builds and runs it, without a registry. */
public class ImageIT {
    private static final Path ROOT =
            Path.of(System.getProperty("contract")).toAbsolutePath().normalize().getParent();
    private static final String IMAGE = "localhost/dmaheap-gateway";
    private static final int USER = 65532;
    private static final String CLIENT = "4321";

    @ClassRule
    public static final TemporaryFolder IMAGES = new TemporaryFolder();

    private static Podman podman;
    private static String digest;

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private Path home;
    private Path deploy;
    private Path state;
    private Path run;

    @BeforeClass
    public static void build() throws Exception {
        Podman.require();
        Path image = IMAGES.getRoot().toPath().resolve("image");
        digest = Podman.succeed(recipe("022", image));
        podman = new Podman();
        Podman.succeed(podman.builder("load", "--quiet", "--input", image.toString()));
    }

    @AfterClass
    public static void remove() throws Exception {
        if (podman != null) {
            podman.remove();
        }
    }

    @After
    public void stop() throws Exception {
        podman.removeContainers();
    }

    /** {@return the build of the image, with an umask and a time zone of its own} */
    private static ProcessBuilder recipe(String umask, Path image) {
        ProcessBuilder builder = new ProcessBuilder(
                "sh",
                "-c",
                "umask " + umask + " && exec \"$@\"",
                "sh",
                ROOT.resolve("distribution/oci-image").toString(),
                image.toString(),
                UnpackedGateway.ARCHIVE.toString());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().put("TZ", umask.equals("022") ? "UTC" : "Asia/Kathmandu");
        return builder;
    }

    private void start() throws Exception {
        home = UnpackedGateway.in(folder.newFolder().toPath()).home();
        Path etc = home.resolve("etc");
        deploy = home.resolve("deploy");
        state = owned();
        run = owned();
        Files.write(
                etc.resolve("org.dmabuf.heap.native.cfg"),
                List.of("access = all", "allow = system=uid:0 acme=uid:" + CLIENT));
        Podman.succeed(podman.container(
                "--detach",
                "--name=gateway",
                "--memory=512m",
                volume(etc, "/etc/dmaheap-gateway:ro"),
                volume(deploy, "/usr/local/lib/dmaheap-gateway:ro"),
                volume(state, "/var/lib/dmaheap-gateway"),
                volume(run, "/run/dmaheap-gateway"),
                IMAGE));
        podman.await("the gateway is up", "logs", "gateway");
    }

    /** {@return an empty folder of the image's user} */
    private Path owned() throws Exception {
        Path owned = folder.newFolder().toPath();
        Files.setAttribute(owned, "unix:uid", USER);
        Files.setAttribute(owned, "unix:gid", USER);
        Files.setPosixFilePermissions(owned, PosixFilePermissions.fromString("rwxr-xr-x"));
        return owned;
    }

    private static String volume(Path folder, String place) {
        return "--volume=" + folder + ":" + place;
    }

    private Podman.Ended inside(String... words) throws Exception {
        List<String> command =
                Stream.concat(Stream.of("exec", "gateway"), Stream.of(words)).toList();
        return Podman.run(podman.builder(command.toArray(String[]::new)));
    }

    private Podman.Ended shell(String command) throws Exception {
        return inside("gateway", "--attach", command);
    }

    @Test
    public void a_jar_in_its_volume_serves_a_program_of_another_container_until_sigterm() throws Exception {
        start();
        Files.copy(home.resolve("examples/vendor-heap.jar"), deploy.resolve("vendor-heap.jar"));
        podman.await("\nacme .* serving ", "exec", "gateway", "gateway", "--attach", "dmaheap:list");
        Path program = folder.getRoot().toPath().resolve("client");
        Podman.succeed(new ProcessBuilder(
                "cc",
                "-static",
                "-std=c99",
                "-I" + ROOT.resolve("clients/c"),
                "-o",
                program.toString(),
                ROOT.resolve("heap-native/src/test/c/client.c").toString()));
        Process client = podman.container(
                        "--interactive",
                        "--rm",
                        "--user=" + CLIENT,
                        volume(run, "/run/dmaheap-gateway:ro"),
                        volume(program, "/client:ro"),
                        "--entrypoint=/client",
                        IMAGE,
                        "/run/dmaheap-gateway/native.socket",
                        "allocate",
                        "65536",
                        "acme")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader out = client.inputReader()) {
            assertEquals("65536 memfd acme 0", out.readLine());
            String dump = shell("dmaheap:dump --json").output();
            assertTrue(dump, dump.contains("\"client\":\"uid:" + CLIENT + "\""));

            Podman.succeed(podman.builder("stop", "--time=60", "gateway"));
            assertEquals(
                    "143", Podman.succeed(podman.builder("wait", "gateway")).strip());
            assertEquals(List.of(), entries(run));
            assertEquals(List.of(), entries(state.resolve("cache")));
            client.getOutputStream().close();
            assertEquals("a program that outlives the gateway", 0, client.waitFor());
        } finally {
            client.destroyForcibly();
        }
    }

    private static List<Path> entries(Path folder) throws Exception {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }

    @Test
    public void it_has_no_rights_and_refuses_memory_above_the_containers_limit() throws Exception {
        start();
        String process = inside("cat", "/proc/1/status").output();
        assertTrue(process, process.contains("Uid:\t" + USER + "\t" + USER));
        assertTrue(process, process.contains("CapBnd:\t0000000000000000"));
        Podman.Ended write = inside("touch", "/opt/dmaheap-gateway/file");
        assertTrue(write.output(), write.output().contains("Read-only file system"));

        Podman.Ended refused = shell("dmaheap:alloc -h system 600M");
        assertNotEquals(0, refused.status());
        assertTrue(refused.output(), refused.output().contains("of the limit in /sys/fs/cgroup"));
        Podman.Ended served = shell("dmaheap:alloc -h system 64M");
        assertEquals(served.output(), 0, served.status());
    }

    @Test
    public void its_health_check_fails_while_the_gateway_does_not_answer() throws Exception {
        start();
        Matcher check = Pattern.compile("^HEALTHCHECK .* CMD (.*)$", Pattern.MULTILINE)
                .matcher(Files.readString(home.resolve("lib/oci/Containerfile")));
        assertTrue(check.find());
        assertEquals(0, inside("sh", "-c", check.group(1)).status());
        String process = Podman.succeed(podman.builder("inspect", "--format={{.State.Pid}}", "gateway"));
        Podman.succeed(new ProcessBuilder("kill", "-STOP", process.strip()));
        assertEquals(1, inside("sh", "-c", check.group(1)).status());
    }

    @Test
    public void an_agent_in_another_container_serves_a_program_of_the_host() throws Exception {
        Path etc = folder.newFolder().toPath();
        Path sockets = folder.newFolder().toPath();
        Files.write(
                etc.resolve("agent.properties"),
                List.of(
                        "gateway.socket = /run/dmaheap-gateway/native.socket",
                        "run.socket = /run/dmaheap-agent/run.socket",
                        "node." + NodeGateway.SYSTEM + " = dma-heap system"));
        start();
        Podman.succeed(podman.container(
                "--detach",
                "--name=agent",
                "--user=0",
                "--pid=host",
                "--cap-add=SYS_PTRACE,DAC_READ_SEARCH",
                volume(etc, "/etc/dmaheap-gateway:ro"),
                volume(run, "/run/dmaheap-gateway:ro"),
                volume(sockets, "/run/dmaheap-agent"),
                "--entrypoint=dmaheap-agent",
                IMAGE,
                "/etc/dmaheap-gateway/agent.properties"));
        podman.await("the agent is up", "logs", "agent");
        Path file = NodeProgram.compile(folder.getRoot().toPath().resolve("program"));
        NodeProgram program = new NodeProgram(
                List.of(
                        home.resolve("bin/dmaheap-run").toString(),
                        "--socket",
                        sockets.resolve("run.socket").toString(),
                        "--",
                        file.toString()),
                folder.newFile().toPath());
        try {
            program.awaitReady();
            assertEquals("ok", program.run("alloc " + NodeGateway.SYSTEM + " 65536"));
            String dump = shell("dmaheap:dump --json").output();
            assertTrue(dump, dump.contains("\"client\":\"uid:0\""));
            assertEquals(0, program.await());
        } finally {
            program.remove();
        }
    }

    @Test
    public void another_build_of_it_has_the_same_digest() throws Exception {
        assertEquals(
                digest, Podman.succeed(recipe("077", folder.getRoot().toPath().resolve("image"))));
    }
}
