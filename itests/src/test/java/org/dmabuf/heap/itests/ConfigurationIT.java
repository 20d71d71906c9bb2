// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/**
 * Tests of files in the folder etc that an operator edits while a gateway runs: the effect of a mistake, and its
 * report.
 */
public class ConfigurationIT {
    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private UnpackedGateway gateway;

    @Before
    public void start() throws Exception {
        gateway = UnpackedGateway.in(folder.getRoot().toPath()).startScript();
        gateway.awaitLog("heap 'system' of bundle org.dmabuf.heap.system serves");
    }

    @After
    public void stop() {
        gateway.close();
    }

    private Path file(String name) {
        return gateway.home().resolve("etc").resolve(name);
    }

    /** Replaces a file in one step, as editors do. */
    private void write(String name, String... lines) throws IOException {
        Path whole = Files.writeString(file("." + name), String.join("\n", lines) + "\n");
        Files.move(whole, file(name), StandardCopyOption.ATOMIC_MOVE);
    }

    private long count(String text) throws IOException {
        return gateway.log().lines().filter(line -> line.contains(text)).count();
    }

    @Test
    public void a_mistake_in_a_live_file_leaves_the_heap_as_it_is_and_its_correction_takes_effect() throws Exception {
        String name = "org.dmabuf.heap.carveout-live.cfg";
        write(name, "size = 1M", "exports = memfd");
        gateway.awaitLog("heap 'live' of bundle org.dmabuf.heap.carveout serves");
        gateway.run("dmaheap:alloc -h live -n held 64K");

        write(name, "# larger", "exports = memfd", "size = 2 of M");
        gateway.awaitLog("heap 'live' stays as it is: invalid size = 2 of M in etc/" + name
                + ", line 3: expected bytes, or a number with K, M, G or T: 256M");
        write(name, "# larger", "exports = memfd", "size = 2M", "page.size = 3K");
        gateway.awaitLog("heap 'live' stays as it is: invalid page.size = 3K in etc/" + name + ", line 4: expected a");
        write(name, "size = 1M", "exports = memfd", "heap.id = 4294967296");
        gateway.awaitLog(
                "heap 'live' stays as it is: invalid heap.id = 4294967296 in etc/" + name + ", line 3: expected");
        gateway.run("dmaheap:alloc -h live -n more 64K");
        assertEquals(gateway.log(), 0, count("heap 'live' has left"));

        write(name, "# larger", "exports = memfd", "size = 2M");
        gateway.awaitLog("heap 'live' has 2 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        gateway.await("dmaheap:list", "live +.* serving .*");
        gateway.run("dmaheap:alloc -h live -n large 1536K");
        gateway.run("dmaheap:free held");
        gateway.run("dmaheap:free more");
        gateway.run("dmaheap:free large");
        gateway.endScript();
    }

    @Test
    public void a_change_of_a_links_target_takes_effect() throws Exception {
        Path target = Files.writeString(folder.newFile().toPath(), "size = 1M\nexports = memfd\n");
        Files.createSymbolicLink(file("org.dmabuf.heap.carveout-linked.cfg"), target);
        gateway.awaitLog("heap 'linked' has 1 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        Files.writeString(target, "size = 2M\nexports = memfd\n");
        gateway.awaitLog("heap 'linked' has 2 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        gateway.endScript();
    }

    /** Kubernetes replaces the files of a ConfigMap by renaming a link over the link {@code ..data}. */
    @Test
    public void a_new_version_of_a_config_map_takes_effect() throws Exception {
        swapConfigMap("..1", "size = 1M\nexports = memfd\n");
        Files.createSymbolicLink(
                file("org.dmabuf.heap.carveout-mapped.cfg"), Path.of("..data", "org.dmabuf.heap.carveout-mapped.cfg"));
        gateway.awaitLog("heap 'mapped' has 1 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        swapConfigMap("..2", "size = 2M\nexports = memfd\n");
        gateway.awaitLog("heap 'mapped' has 2 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        swapConfigMap("..3", "size = 2 of M\nexports = memfd\n");
        gateway.awaitLog("heap 'mapped' stays as it is: invalid size = 2 of M in"
                + " etc/org.dmabuf.heap.carveout-mapped.cfg, line 1: expected bytes, or a number with K, M, G or T:"
                + " 256M; a correction takes effect at once");
        gateway.endScript();
    }

    private void swapConfigMap(String version, String content) throws IOException {
        Path files = Files.createDirectory(file(version));
        Files.writeString(files.resolve("org.dmabuf.heap.carveout-mapped.cfg"), content);
        Path link = Files.createSymbolicLink(file("..data_tmp"), Path.of(version));
        Files.move(link, file("..data"), StandardCopyOption.ATOMIC_MOVE);
    }

    /** As with a bind mount, the kernel reports such a change to the other name's folder only. */
    @Test
    public void a_change_through_another_name_of_the_file_takes_effect() throws Exception {
        Path other = Files.writeString(folder.newFile().toPath(), "size = 1M\nexports = memfd\n");
        Files.createLink(file("org.dmabuf.heap.carveout-bound.cfg"), other);
        gateway.awaitLog("heap 'bound' has 1 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        Files.writeString(other, "size = 2M\nexports = memfd\n");
        gateway.awaitLog("heap 'bound' has 2 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        gateway.endScript();
    }

    @Test
    public void of_two_files_for_a_heap_one_is_read_and_the_removal_of_the_other_takes_nothing() throws Exception {
        String plain = "org.dmabuf.heap.carveout-twice.cfg";
        String typed = "org.dmabuf.heap.carveout-twice.config";
        write(plain, "size = 1M", "exports = memfd");
        gateway.awaitLog("heap 'twice' has 1 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        write(typed, "size=\"2M\"", "exports=\"memfd\"");
        gateway.awaitLog(
                "invalid name " + typed + " in etc: expected one file for a PID, but " + plain + " has the same");
        Files.delete(file(typed));
        Thread.sleep(1000); // no change may follow
        gateway.await("dmaheap:list", "twice +.* serving +1 MiB .*");
        write(typed, "size=\"2M\"", "exports=\"memfd\"");
        Files.delete(file(plain));
        gateway.await("dmaheap:list", "twice +.* serving +2 MiB .*");
        assertEquals(gateway.log(), 1, count("heap 'twice' has 1 MiB"));
        gateway.endScript();
    }

    @Test
    public void a_broken_line_leaves_the_settings_of_a_heap_and_of_the_broker_in_force() throws Exception {
        String heap = "org.dmabuf.heap.carveout-live.cfg";
        String broker = "org.dmabuf.heap.broker.cfg";
        write(heap, "size = 1M", "exports = memfd");
        gateway.awaitLog("heap 'live' has 1 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");
        write(broker, "quota.heap = live=256K");
        Framework.await(true, () -> gateway.run("dmaheap:usage").contains("256 KiB"));

        write(heap, "exports = memfd", "size 2M");
        gateway.awaitLog("invalid line 'size 2M' in etc/" + heap + ", line 2: expected NAME = VALUE; the previous"
                + " settings stay in force");
        write(broker, "# more", "quota.heap live 512K");
        gateway.awaitLog("invalid line 'quota.heap live 512K' in etc/" + broker + ", line 2: expected NAME = VALUE");
        Thread.sleep(1000); // no change may follow
        gateway.await("dmaheap:list", "live +.* serving +1 MiB .*");
        assertTrue(gateway.run("dmaheap:usage"), gateway.run("dmaheap:usage").contains("256 KiB"));

        write(heap, "exports = memfd", "size = 2M");
        gateway.await("dmaheap:list", "live +.* serving +2 MiB .*");
        gateway.endScript();
    }

    @Test
    public void a_quota_that_the_broker_refuses_leaves_all_quotas_in_force() throws Exception {
        write("org.dmabuf.heap.broker.cfg", "quota.heap = system=256K");
        Framework.await(true, () -> gateway.run("dmaheap:usage").contains("256 KiB"));
        write("org.dmabuf.heap.broker.cfg", "# more", "quota.heap = system=much");
        gateway.awaitLogLine("invalid quota.heap = system=much in etc/org.dmabuf.heap.broker.cfg, line 2: expected ");
        gateway.awaitLogLine("the new quotas and permissions are not applied, and the previous ones stay in force");
        assertTrue(gateway.run("dmaheap:usage"), gateway.run("dmaheap:usage").contains("256 KiB"));
        gateway.endScript();
    }

    @Test
    public void the_broker_refuses_a_wait_outside_its_range() throws Exception {
        for (String wrong : List.of("99999", "-5", "2 s", "1.5")) {
            write("org.dmabuf.heap.broker.cfg", "# short", "drain.ms = " + wrong);
            gateway.awaitLog("invalid drain.ms = " + wrong + " in etc/org.dmabuf.heap.broker.cfg, line 2: expected a"
                    + " whole number from 0 to 4000; the previous value stays in force");
        }
        gateway.endScript();
    }

    @Test
    public void settings_that_are_not_read_as_intended_are_reported_and_shipped_files_are_not() throws Exception {
        Files.createDirectory(file("org.dmabuf.heap.carveout-folder.cfg"));
        write("org.dmabuf.heap.carveout-mark.cfg", "\uFEFFheap.id = 7", "size = 1M");
        write("org.dmabuf.heap.carveout-slash.cfg", "size = 1M\\", "exports = memfd");
        write("org.dmabuf.heap.carevout-camera.cfg", "size = 1M");
        write("org.dmabuf.heap.carveout-camera.cfg.txt", "size = 1M");
        write("org.example.acme.heap.cfg", "heap.id = 44", "heap.colour = blue");
        Files.copy(Gateway.dropIn("vendor-heap"), gateway.dropped("acme.jar"));

        gateway.awaitLog("invalid folder etc/org.dmabuf.heap.carveout-folder.cfg: expected a file with settings");
        gateway.awaitLog("invalid byte order mark in etc/org.dmabuf.heap.carveout-mark.cfg, line 1: expected UTF-8");
        gateway.awaitLog("invalid backslash at the end of the line in etc/org.dmabuf.heap.carveout-slash.cfg, line 1");
        gateway.awaitLog("invalid name org.dmabuf.heap.carevout-camera.cfg in etc: expected the PID of a component, but"
                + " no component has org.dmabuf.heap.carevout; the nearest is org.dmabuf.heap.carveout");
        gateway.awaitLog(
                "invalid name org.dmabuf.heap.carveout-camera.cfg.txt in etc: expected a name that ends in" + " .cfg");
        gateway.awaitLog("unknown setting heap.colour in etc/org.example.acme.heap.cfg, line 2: expected one of"
                + " heap.id, heap.name, heap.priority");
        assertEquals(gateway.log(), 6, count("configuration.ConfigurationWatch - "));
        gateway.endScript();
    }

    @Test
    public void a_mistake_in_the_file_of_a_vendors_heap_leaves_it_as_it_is() throws Exception {
        String name = "org.example.acme.heap.cfg";
        write(name, "heap.id = 44");
        Files.copy(Gateway.dropIn("vendor-heap"), gateway.dropped("acme.jar"));
        gateway.await("dmaheap:list --wide", "acme +44 .* serving .*");

        write(name, "heap.id = forty");
        gateway.awaitLog("heap 'acme' stays as it is: invalid heap.id = forty in etc/" + name
                + ", line 1: expected a whole number from 0 to 63, or -1 for none; a correction takes effect at once");
        gateway.await("dmaheap:list --wide", "acme +44 .* serving .*");
        write(name, "heap.id = 45");
        gateway.await("dmaheap:list --wide", "acme +45 .* serving .*");
        Files.delete(file(name));
        gateway.await("dmaheap:list --wide", "acme +40 .* serving .*");
        assertFalse(gateway.log(), gateway.log().contains("unknown setting"));
        gateway.endScript();
    }
}
