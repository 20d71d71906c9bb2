// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of jars and configurations that are added, changed and removed while a gateway runs. */
public class DeployIT {
    private static final String SERVING = " +acme +memfd +no +serving .*";
    private static final String HELD = "held +64 KiB .*";

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private final Path vendor = Gateway.dropIn("vendor-heap");
    private UnpackedGateway gateway;

    @Before
    public void start() throws Exception {
        gateway = UnpackedGateway.in(folder.newFolder("a folder with a blank").toPath())
                .startScript();
        List<String> listed = gateway.run("dmaheap:list").lines().toList();
        assertEquals("heaps of a fresh gateway, under a heading", 5, listed.indexOf(""));
    }

    @After
    public void stop() {
        gateway.close();
    }

    @Test
    public void a_buffer_outlives_the_replacement_and_the_removal_of_its_heap() throws Exception {
        Files.copy(vendor, gateway.dropped("acme.jar"));
        gateway.await("dmaheap:list", "acme" + SERVING);
        gateway.run("dmaheap:alloc -h acme -n held 64K");

        copyWithVersion("0.2.0", gateway.dropped("acme.jar"));
        gateway.await("felix:lb -s", ".*Active.*org\\.example\\.acme\\.heap \\(0\\.2\\.0\\).*");
        gateway.await("dmaheap:list", "acme" + SERVING + " 64 KiB +0 bytes");
        gateway.await("dmaheap:buffers", HELD);

        Files.delete(gateway.dropped("acme.jar"));
        gateway.await("dmaheap:list", "acme .* departed .* 64 KiB +0 bytes");
        gateway.await("dmaheap:buffers", HELD);
        gateway.awaitLog("acme.jar is removed"); // felix:lb fails if a bundle leaves while it lists
        assertFalse(gateway.run("felix:lb -s"), gateway.run("felix:lb -s").contains("org.example.acme"));

        gateway.run("dmaheap:free held");
        assertEquals("", gateway.run("dmaheap:buffers").lines().skip(1).reduce("", String::concat));
        assertEquals("no complaint", List.of(), gateway.warnings(".jar"));
        gateway.endScript();
    }

    @Test
    public void an_incomplete_jar_does_no_harm_to_the_heap_that_it_will_replace() throws Exception {
        Files.copy(vendor, gateway.dropped("acme.jar"));
        gateway.await("dmaheap:list", "acme" + SERVING);
        gateway.run("dmaheap:alloc -h acme -n held 64K");

        byte[] whole = Files.readAllBytes(vendor);
        Files.write(gateway.dropped("acme.jar"), Arrays.copyOf(whole, whole.length / 2));
        gateway.awaitLog("acme.jar does not replace the one that runs: it is truncated or damaged (zip END header not"
                + " found); copy it again");
        gateway.await("dmaheap:list", "acme" + SERVING + " 64 KiB +0 bytes");
        assertEquals(
                1,
                gateway.log()
                        .lines()
                        .filter(line -> line.contains("heap 'acme' of bundle"))
                        .count());

        copyWithVersion("0.3.0", gateway.dropped("acme.jar"));
        gateway.await("felix:lb -s", ".*Active.*org\\.example\\.acme\\.heap \\(0\\.3\\.0\\).*");
        gateway.await("dmaheap:buffers", HELD);
        assertEquals(1, gateway.warnings("acme.jar").size());
        gateway.endScript();
    }

    @Test
    public void a_file_that_is_not_a_bundle_is_reported_once_by_name_and_disturbs_no_other() throws Exception {
        byte[] whole = Files.readAllBytes(vendor);
        Files.write(gateway.dropped("cut.jar"), Arrays.copyOf(whole, whole.length / 2));
        Files.writeString(gateway.dropped("text.jar"), "hello");
        Files.createFile(gateway.dropped("empty.jar"));
        bundle("plain.jar", Map.of());
        Files.copy(gateway.home().resolve("bundles/heap-system.jar"), gateway.dropped("twice.jar"));
        byte[] damaged = whole.clone();
        damaged[positionInClass(whole)] ^= 1;
        Files.write(gateway.dropped("damaged.jar"), damaged);
        Files.writeString(gateway.dropped("notes.txt"), "ignored");
        Files.copy(vendor, gateway.dropped("zz.jar"));

        gateway.await("dmaheap:list", "acme" + SERVING);
        gateway.awaitLog("text.jar is not installed: it is not a jar; drop a bundle, or remove it");
        gateway.awaitLog("empty.jar is not installed: it is not a jar; drop a bundle, or remove it");
        gateway.awaitLog(
                "cut.jar is not installed: it is truncated or damaged (zip END header not found); copy it again");
        gateway.awaitLog("plain.jar is not installed: it is a jar but not a bundle, since its manifest has no"
                + " Bundle-SymbolicName; drop a bundle, or remove it");
        gateway.awaitLog("damaged.jar is not installed: it is truncated or damaged ");
        String twice = gateway.warnings("twice.jar").getFirst();
        assertTrue(twice, twice.contains("; remove one of the two, or give this one another Bundle-SymbolicName or"));
        Files.delete(gateway.dropped("zz.jar")); // one more change: no report is repeated
        gateway.await("dmaheap:list", "system .* serving .*");
        for (String file : List.of("cut.jar", "text.jar", "empty.jar", "plain.jar", "twice.jar", "damaged.jar")) {
            assertEquals(gateway.log(), 1, gateway.warnings(file).size());
        }
        assertEquals(List.of(), gateway.warnings("notes.txt"));
        gateway.endScript();
    }

    @Test
    public void entries_that_cannot_run_are_reported_once() throws Exception {
        Files.copy(vendor, gateway.dropped("HEAP.JAR"));
        Files.copy(vendor, Files.createDirectory(gateway.dropped("vendor")).resolve("heap.jar"));
        Files.createDirectory(gateway.dropped("folder.jar"));
        Files.createSymbolicLink(gateway.dropped("link.jar"), gateway.dropped("nothing"));
        gateway.awaitLog("HEAP.JAR does not run, since its name does not end in .jar; rename it");
        gateway.awaitLog("vendor is a folder, and its jars do not run; move them to the folder above");
        gateway.awaitLog("folder.jar is not installed: it is not a regular file; drop a bundle, or remove it");
        gateway.awaitLog("link.jar does not run, since its link to ");
        Files.copy(vendor, gateway.dropped("folder.jar").resolve("heap.jar"));
        Files.copy(vendor, gateway.dropped("zz.jar"));
        gateway.await("dmaheap:list", "acme" + SERVING);
        for (String entry : List.of("HEAP.JAR", "vendor is", "folder.jar", "link.jar")) {
            assertEquals(gateway.log(), 1, gateway.warnings(entry).size());
        }
        gateway.endScript();
    }

    /** {@return a position in the compressed data of a class, because not each byte of a header is checked} */
    private static int positionInClass(byte[] jar) {
        String name = "AcmeHeap.class";
        int position = new String(jar, StandardCharsets.ISO_8859_1).indexOf(name);
        assertTrue("a class of the heap is in its jar", position > 0);
        return position + name.length() + 100;
    }

    @Test
    public void a_bundle_that_lacks_another_is_reported_once_and_starts_when_that_is_dropped_in() throws Exception {
        bundle(
                "needy.jar",
                Map.of("Bundle-SymbolicName", "org.acme.needy", "Import-Package", "org.acme.dma;version=\"[1,2)\""));
        gateway.awaitLog("needy.jar does not start: it lacks package org.acme.dma [1.0.0,2.0.0)");
        Files.copy(vendor, gateway.dropped("acme.jar")); // a change that does not help
        gateway.await("dmaheap:list", "acme" + SERVING);

        bundle(
                "provider.jar",
                Map.of("Bundle-SymbolicName", "org.acme.provider", "Export-Package", "org.acme.dma;version=1.4"));
        gateway.await("felix:lb -s", ".*Active.*org\\.acme\\.needy .*");
        assertEquals(gateway.log(), 1, gateway.warnings("needy.jar").size());

        Files.delete(gateway.dropped("provider.jar"));
        gateway.awaitLog("provider.jar is removed"); // felix:lb fails if a bundle leaves while it lists
        gateway.await("felix:lb -s", ".*Installed.*org\\.acme\\.needy .*");
        gateway.await("dmaheap:list", "acme" + SERVING);
        gateway.endScript();
    }

    @Test
    public void a_jar_whose_start_blocks_is_reported_and_other_jars_can_be_added_and_removed() throws Exception {
        Path released = folder.getRoot().toPath().resolve("released");
        TestBundle blocking = TestBundle.blocking("org.acme.blocking", released);
        Files.copy(blocking.jar(), gateway.dropped("a.jar"));
        gateway.awaitWarning(
                "a.jar",
                "its start still runs after 5 s, in .*, called by org\\.dmabuf\\.heap\\.itests"
                        + "\\.blocking\\.Blocking\\.start\\(.*; remove the jar, or end the gateway");
        Files.copy(vendor, gateway.dropped("b.jar"));
        gateway.await("dmaheap:list", "acme" + SERVING);
        Files.delete(gateway.dropped("b.jar"));
        gateway.await("dmaheap:list", "system .* serving .*");
        gateway.awaitLog("b.jar is removed");

        Files.delete(gateway.dropped("a.jar"));
        gateway.awaitLog("a.jar is removed"); // its start was interrupted
        Files.copy(blocking.jar(), gateway.dropped("c.jar"));
        Files.createFile(released);
        gateway.await("felix:lb -s", ".*Active.*org\\.acme\\.blocking .*");
        gateway.endScript();
    }

    @Test
    public void an_event_admin_that_is_dropped_in_gets_the_brokers_events() throws Exception {
        Files.copy(Gateway.dropIn("org.apache.felix.eventadmin"), gateway.dropped("eventadmin.jar"));
        Files.copy(TestBundle.eventPrinter().jar(), gateway.dropped("printer.jar"));
        gateway.await("felix:lb -s", ".*Active.*org\\.apache\\.felix\\.eventadmin .*");
        gateway.await("felix:lb -s", ".*Active.*org\\.example\\.events .*");
        Files.copy(vendor, gateway.dropped("acme.jar"));
        gateway.awaitLog("event org/dmabuf/heap/ARRIVED acme");
        assertEquals(gateway.log(), List.of(), gateway.warnings(".jar"));
        gateway.endScript();
    }

    @Test
    public void the_name_of_a_jar_cannot_forge_a_line_of_the_log() throws Exception {
        Files.writeString(gateway.dropped("a\nWARN forged\u001b[2J.jar"), "hello");
        gateway.awaitWarning("a\\u000aWARN forged\\u001b[2J.jar", " is not installed: it is not a jar.*");
        Files.copy(vendor, gateway.dropped("b\n.jar"));
        gateway.awaitLog("b\\u000a.jar runs: org.example.acme.heap 0.1.0");
        assertFalse(gateway.log(), gateway.log().lines().anyMatch(line -> line.startsWith("WARN forged")));
        gateway.endScript();
    }

    @Test
    public void configuration_takes_effect_while_buffers_are_held() throws Exception {
        gateway.run("dmaheap:alloc -n held 64K");
        // A restart of the broker for its configuration would have closed every buffer.
        Files.writeString(gateway.home().resolve("etc/org.dmabuf.heap.broker.cfg"), "drain.ms = 100\n");
        Path file = gateway.home().resolve("etc/org.dmabuf.heap.system.cfg");
        String text = "heap.name = renamed\nheap.id = 7\nheap.priority = 5\n";
        Files.writeString(file, text);
        gateway.await("dmaheap:list --wide", "renamed +7 +system +memfd .* serving .*");
        gateway.await("dmaheap:list", "system .* departed .* 64 KiB +0 bytes");
        gateway.await("dmaheap:buffers", HELD);
        assertTrue(gateway.run("dmaheap:info renamed").lines().anyMatch(line -> line.matches("heap\\.priority +5")));
        assertEquals("the file is not written back", text, Files.readString(file));

        Files.delete(file);
        gateway.await("dmaheap:list --wide", "system +0 +system +memfd .* serving .*");
        gateway.run("dmaheap:free held");
        gateway.endScript();
    }

    @Test
    public void a_region_that_stays_with_its_buffers_is_reported_in_the_gateways_own_log() throws Exception {
        Path file = gateway.home().resolve("etc/org.dmabuf.heap.carveout-camera.cfg");
        Files.writeString(file, "size = 1M\n");
        gateway.await("dmaheap:list", "camera +carveout .* serving .*");
        gateway.run("dmaheap:alloc -h camera -n held 64K");
        Files.delete(file);
        gateway.awaitLog("heap 'camera' has left; its region of 1 MiB stays until");
        gateway.run("dmaheap:free held");
        gateway.endScript();
    }

    @Test
    public void a_heap_that_cannot_start_is_listed_with_its_reason_and_its_file_until_the_file_is_corrected()
            throws Exception {
        Path file = gateway.home().resolve("etc/org.dmabuf.heap.carveout-camera.cfg");
        Files.writeString(file, "size = much\n");
        gateway.await("dmaheap:list", "camera +- .* failed .*");
        String output = gateway.run("dmaheap:info camera");
        String line = output.replaceAll("\\s+", " "); // the output is wrapped to the width of a terminal
        assertTrue(output, line.contains(" state failed: invalid size = much "));
        assertTrue(output, line.contains("configuration org.dmabuf.heap.carveout~camera"));
        assertTrue(output, line.contains(file.getFileName().toString()));
        gateway.await("dmaheap:list", "camera: failed: invalid size = much .*");

        Files.writeString(file, "size = 1M\n");
        gateway.await("dmaheap:list", "camera +carveout .* serving .*");
        assertEquals(gateway.run("dmaheap:list"), 1, count("camera", gateway.run("dmaheap:list")));
        Files.delete(file);
        gateway.endScript();
    }

    @Test
    public void a_map_names_client_and_buffer_of_each_stretch() throws Exception {
        Path file = gateway.home().resolve("etc/org.dmabuf.heap.carveout-camera.cfg");
        Files.writeString(file, "size = 1M\n");
        gateway.await("dmaheap:list", "camera +carveout .* serving .*");
        gateway.run("dmaheap:alloc -h camera --no-export -n 'frame-7' 64K");
        gateway.await("dmaheap:map -w 32 camera", "A  org\\.dmabuf\\.heap\\.shell  'frame-7'  64 KiB");
        gateway.run("dmaheap:free frame-7");
        Files.delete(file);
        gateway.endScript();
    }

    private static long count(String name, String listed) {
        return listed.lines().filter(line -> line.startsWith(name + " ")).count();
    }

    /** Puts a jar that contains only a manifest into the folder, in one step. */
    private void bundle(String name, Map<String, String> headers) throws IOException {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.putValue("Manifest-Version", "1.0");
        attributes.putValue("Bundle-ManifestVersion", "2");
        headers.forEach(attributes::putValue);
        Path jar = folder.getRoot().toPath().resolve(name);
        try (OutputStream out = Files.newOutputStream(jar)) {
            new JarOutputStream(out, manifest).close();
        }
        Files.move(jar, gateway.dropped(name), StandardCopyOption.ATOMIC_MOVE);
    }

    /** Overwrites the file with the vendor's jar in another version. */
    private void copyWithVersion(String version, Path to) throws IOException {
        try (JarFile from = new JarFile(vendor.toFile())) {
            Manifest manifest = from.getManifest();
            manifest.getMainAttributes().putValue("Bundle-Version", version);
            try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(to), manifest)) {
                for (JarEntry entry : Collections.list(from.entries())) {
                    if (!entry.isDirectory() && !entry.getName().equals(JarFile.MANIFEST_NAME)) {
                        out.putNextEntry(new JarEntry(entry.getName()));
                        try (InputStream in = from.getInputStream(entry)) {
                            in.transferTo(out);
                        }
                    }
                }
            }
        }
    }
}
