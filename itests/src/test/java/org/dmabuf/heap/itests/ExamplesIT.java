// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the examples as a stranger uses them: copied, compiled against released files, and run. */
public class ExamplesIT {
    private static final Path ROOT =
            Path.of(System.getProperty("contract")).getParent().toAbsolutePath();
    private static final Path LOCAL_REPOSITORY = Path.of(System.getProperty("local.repository"));
    private static final String VERSION = "0.1.0-SNAPSHOT";
    private static final long SECONDS = 180;

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    /** Without a network and with the artifacts that a release publishes, and nothing else of this project. */
    @Test
    public void the_heap_over_a_device_node_builds_alone_in_a_copy_of_its_folder() throws Exception {
        Path copy = folder.newFolder("my-heap").toPath();
        copy(ROOT.resolve("examples/node-heap/pom.xml"), copy.resolve("pom.xml"));
        copy(ROOT.resolve("examples/node-heap/bnd.bnd"), copy.resolve("bnd.bnd"));
        try (Stream<Path> sources = Files.walk(ROOT.resolve("examples/node-heap/src"))) {
            for (Path file : sources.filter(Files::isRegularFile).toList()) {
                copy(file, copy.resolve(ROOT.resolve("examples/node-heap").relativize(file)));
            }
        }
        Path repository = repository("heap-api", "heap-linux");
        Process maven = new ProcessBuilder(
                        System.getProperty("maven.program"),
                        "-B",
                        "-o",
                        "-q",
                        "-Dmaven.repo.local=" + repository,
                        "package")
                .directory(copy.toFile())
                .redirectErrorStream(true)
                .start();
        assertEquals(output(maven), 0, maven.exitValue());
        assertTrue(Files.exists(copy.resolve("target/node-heap-" + VERSION + ".jar")));
        assertTrue(Files.exists(copy.resolve("target/surefire-reports/TEST-org.example.node.NodeHeapTest.xml")));
    }

    /** Makes a local repository of links: all artifacts of the machine's, but of this project only a release's. */
    private Path repository(String... artifacts) throws IOException {
        Path repository = folder.newFolder("repository").toPath();
        link(LOCAL_REPOSITORY, repository, Set.of("org"));
        link(LOCAL_REPOSITORY.resolve("org"), Files.createDirectory(repository.resolve("org")), Set.of("dmabuf"));
        publish(ROOT.resolve("pom.xml"), repository, "heap-parent", "pom");
        for (String artifact : artifacts) {
            publish(ROOT.resolve(artifact + "/pom.xml"), repository, artifact, "pom");
            publish(
                    ROOT.resolve(artifact + "/target/" + artifact + "-" + VERSION + ".jar"),
                    repository,
                    artifact,
                    "jar");
        }
        return repository;
    }

    private static void link(Path from, Path to, Set<String> without) throws IOException {
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.toList()) {
                if (!without.contains(file.getFileName().toString())) {
                    Files.createSymbolicLink(to.resolve(file.getFileName()), file.toAbsolutePath());
                }
            }
        }
    }

    private static void publish(Path file, Path repository, String artifact, String type) throws IOException {
        Path place = repository.resolve("org/dmabuf").resolve(artifact).resolve(VERSION);
        copy(file, place.resolve(artifact + "-" + VERSION + "." + type));
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to.getParent());
        Files.copy(from, to);
    }

    @Test
    public void a_client_that_waits_gets_the_buffer_that_another_client_publishes() throws Exception {
        try (UnpackedGateway gateway =
                UnpackedGateway.in(folder.newFolder().toPath()).startScript()) {
            Files.copy(Gateway.dropIn("waiting-client"), gateway.dropped("waiting-client.jar"));
            gateway.await("felix:lb -s", ".*Active.*org\\.example\\.waiting.*");
            assertEquals("[]", gateway.run("dmaheap:dump --json").strip());
            Files.copy(gateway.home().resolve("examples/hello-client.jar"), gateway.dropped("hello-client.jar"));
            // of the publisher, of the publication, and of the client that has waited
            gateway.await("dmaheap:dump --json", ".*\"name\":\"hello\".*\"references\":3.*");
            Files.delete(gateway.dropped("hello-client.jar"));
            gateway.await("dmaheap:dump --json", "\\[\\]");
            gateway.endScript();
        }
    }

    @Test
    public void native_clients_in_c_and_python_get_memory_over_the_socket() throws Exception {
        Path socket = folder.getRoot().toPath().resolve("native.socket");
        String self = "uid:" + Files.getAttribute(folder.getRoot().toPath(), "unix:uid");
        try (UnpackedGateway gateway =
                UnpackedGateway.in(folder.newFolder().toPath()).startScript()) {
            Files.write(
                    gateway.home().resolve("etc/org.dmabuf.heap.native.cfg"),
                    List.of("path = " + socket, "allow = system=" + self));
            gateway.awaitLog("native clients are served at " + socket);
            String expected = "hello from 1048576 bytes of heap system, charged to " + self + "\n";
            Path examples = ROOT.resolve("examples/native-client");
            ProcessBuilder python = new ProcessBuilder(
                    "python3", "-B", examples.resolve("frame.py").toString(), socket.toString());
            python.environment()
                    .put("PYTHONPATH", ROOT.resolve("clients/python").toString());
            assertEquals(expected, output(python.redirectErrorStream(true).start()));
            Path program = folder.getRoot().toPath().resolve("frame");
            String compiled = output(new ProcessBuilder(
                            "cc",
                            "-std=c99",
                            "-Wall",
                            "-Werror",
                            "-I" + ROOT.resolve("clients/c"),
                            examples.resolve("frame.c").toString(),
                            "-o",
                            program.toString())
                    .redirectErrorStream(true)
                    .start());
            assertEquals("", compiled);
            assertEquals(
                    expected,
                    output(new ProcessBuilder(program.toString(), socket.toString())
                            .redirectErrorStream(true)
                            .start()));
            gateway.endScript();
        }
    }

    private static String output(Process process) throws Exception {
        process.getOutputStream().close();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(text, process.waitFor(SECONDS, TimeUnit.SECONDS));
        return text;
    }
}
