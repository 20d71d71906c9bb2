// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of the distributed archive, unpacked into a folder and run with only a JDK. */
public class ArchiveIT {
    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private UnpackedGateway gateway;

    @Before
    public void unpack() throws Exception {
        gateway = UnpackedGateway.in(folder.newFolder("a folder with a blank").toPath());
    }

    @After
    public void stop() {
        gateway.close();
    }

    @Test
    public void it_has_one_top_folder_with_the_version_programs_in_bin_and_nothing_in_deploy() throws Exception {
        String archive = UnpackedGateway.ARCHIVE.getFileName().toString();
        assertEquals(archive, gateway.home().getFileName() + ".tar.gz");
        try (Stream<Path> programs = Files.list(gateway.home().resolve("bin"))) {
            assertTrue(programs.allMatch(Files::isExecutable));
        }
        try (Stream<Path> dropped = Files.list(gateway.home().resolve("deploy"))) {
            assertEquals(List.of(), dropped.toList());
        }
        for (String file : List.of(
                "README.md",
                "LICENSE",
                "etc/org.dmabuf.heap.system.cfg",
                "lib/oci/Containerfile",
                "lib/systemd/dmaheap-gateway.service")) {
            assertTrue(file, Files.isRegularFile(gateway.home().resolve(file)));
        }
    }

    @Test
    public void it_has_the_launcher_for_both_processors() throws Exception {
        Map<String, Integer> machines = Map.of("x86_64", 62, "aarch64", 183); // of the header of an ELF file
        for (Map.Entry<String, Integer> machine : machines.entrySet()) {
            Path launcher = gateway.home().resolve("bin/dmaheap-run-" + machine.getKey());
            boolean required = "true".equals(System.getenv("CI"));
            assumeTrue("skipped: a compiler for it is not installed", required || Files.exists(launcher));
            byte[] elf = Files.readAllBytes(launcher);
            assertEquals(launcher.toString(), machine.getValue().intValue(), elf[18] & 0xff);
        }
    }

    @Test
    public void its_bill_of_materials_lists_every_jar_with_its_licence() throws Exception {
        Path bill = gateway.home().resolve("sbom.cdx.json");
        assertTrue(
                "reading " + bill.getFileName() + " of the archive failed: CycloneDX does not run offline;"
                        + " build the archive without -o",
                Files.exists(bill));
        Set<String> listed = new TreeSet<>();
        for (String component : Files.readString(bill).split("\"bom-ref\" :")) {
            Matcher name =
                    Pattern.compile("\"purl\" : \"pkg:maven/[^/]*/([^@]*)@").matcher(component);
            if (name.find()) {
                assertTrue(component, component.contains("\"licenses\" : ["));
                listed.add(name.group(1) + ".jar");
            }
        }
        // the archive itself, and libraries that org.apache.felix.metatype.jar contains
        Set<String> contained = new TreeSet<>(Set.of("heap-distribution.jar", "kxml2.jar", "xmlpull.jar"));
        try (Stream<Path> files = Files.walk(gateway.home())) {
            files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".jar") && !name.equals("launcher.jar"))
                    .map(name -> name.equals("agent.jar") ? "heap-agent.jar" : name)
                    .forEach(contained::add);
        }
        assertEquals(contained, listed);
    }

    @Test
    public void the_jars_of_this_project_do_not_name_the_jdk_on_which_maven_ran() throws Exception {
        for (String folder : List.of("bundles", "optional", "optional/console", "examples", "lib")) {
            try (Stream<Path> files = Files.list(gateway.home().resolve(folder))) {
                for (Path file : files.filter(ArchiveIT::isOurs).toList()) {
                    try (JarFile jar = new JarFile(file.toFile())) {
                        Set<Object> names = new HashSet<>(
                                jar.getManifest().getMainAttributes().keySet());
                        names.removeIf(name -> !name.toString().startsWith("Build-"));
                        assertEquals(file.toString(), Set.of(), names);
                    }
                }
            }
        }
    }

    @Test
    public void one_command_sees_the_heap_that_was_dropped_in() throws Exception {
        assertTrue(gateway.runOnce("dmaheap:list").startsWith("NAME"));
        Files.copy(gateway.home().resolve("examples/vendor-heap.jar"), gateway.dropped("vendor-heap.jar"));
        String listed = gateway.runOnce("dmaheap:list");
        assertTrue(listed, listed.lines().anyMatch(line -> line.matches("acme +acme .* serving .*")));
        assertEquals(List.of(), gateway.caches());
    }

    @Test
    public void a_device_that_a_file_describes_gets_memory_that_meets_its_demands() throws Exception {
        Files.copy(gateway.home().resolve("optional/device-constraints.jar"), gateway.dropped("devices.jar"));
        Files.writeString(
                gateway.home().resolve("etc/org.dmabuf.device.constraints-camera.cfg"),
                "device = /dev/demo-camera\ngranule = 64K\ncpu = cached\n");
        String report = gateway.runOnce("dmaheap:constraints /dev/demo-camera --size 600K");
        assertTrue(report, report.contains("655360 bytes (640 KiB)"));
        assertTrue(report, report.lines().anyMatch(line -> line.matches("heaps +system.*")));
    }

    @Test
    public void setenv_gives_options_to_java() throws Exception {
        Files.writeString(
                gateway.home().resolve("bin/setenv"), "JAVA_OPTS=-Dorg.slf4j.simpleLogger.log.org.dmabuf=info\n");
        String printed = gateway.runOnce("dmaheap:list");
        assertTrue(printed, printed.contains("heap 'system' of bundle org.dmabuf.heap.system serves"));
    }

    @Test
    public void jars_that_block_in_their_start_do_not_stop_a_daemon_or_a_command_from_starting() throws Exception {
        Path never = gateway.home().resolve("never");
        Files.copy(TestBundle.blocking("org.acme.blocking.bundle", never).jar(), gateway.bundle("blocking.jar"));
        Files.copy(TestBundle.blocking("org.acme.blocking.dropped", never).jar(), gateway.dropped("dropped.jar"));
        Process daemon = gateway.startDaemon();
        gateway.awaitLog("the gateway is up, process " + daemon.pid());
        gateway.awaitWarning("blocking.jar", "its start still runs after 5 s, in .*");
        gateway.awaitWarning("dropped.jar", "its start still runs after 5 s, in .*");
        assertEquals(128 + 15, gateway.terminate());
        assertEquals(List.of(), gateway.caches());
        String listed = gateway.runOnce("dmaheap:list");
        assertTrue(listed, listed.lines().anyMatch(line -> line.matches("system .* serving .*")));
    }

    @Test
    public void a_daemon_serves_without_a_terminal_until_SIGTERM_ends_it_in_good_order() throws Exception {
        Process daemon = gateway.startDaemon();
        gateway.awaitLog("the gateway is up, process " + daemon.pid());
        assertNotEquals(List.of(), gateway.caches());
        Files.copy(gateway.home().resolve("examples/vendor-heap.jar"), gateway.dropped("vendor-heap.jar"));
        gateway.awaitLog("heap 'acme' of bundle org.example.acme.heap serves");

        assertEquals(128 + 15, gateway.terminate());
        gateway.awaitLog("heap 'acme' has left with 0 live buffers");
        assertEquals(List.of(), gateway.caches());
    }

    private static boolean isOurs(Path file) {
        return file.toString()
                .matches(".*/(bundles/heap-.*|optional/(heap|device)-.*|optional/console/heap-.*|examples/.*"
                        + "|lib/(launcher|agent))\\.jar");
    }
}
