// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Tests of a gateway whose folders are not all in one place, and of folders that other users can write to. */
public class FoldersIT {
    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private UnpackedGateway gateway;
    private Path root;

    @Before
    public void unpack() throws Exception {
        gateway = UnpackedGateway.in(folder.newFolder("program").toPath());
        root = folder.getRoot().toPath();
    }

    @After
    public void stop() {
        gateway.close();
    }

    @Test
    public void a_package_can_place_every_folder_elsewhere() throws Exception {
        Path etc = Files.move(gateway.home().resolve("etc"), root.resolve("etc with a blank"));
        Path deploy = Files.move(gateway.home().resolve("deploy"), root.resolve("jars"));
        Path state = root.resolve("state");
        Path run = root.resolve("run");
        Files.copy(Gateway.dropIn("vendor-heap"), deploy.resolve("acme.jar"));
        gateway.startDaemon("--etc", "" + etc, "--deploy", "" + deploy, "--state", "" + state, "--run", "" + run);
        gateway.awaitLog("the gateway is up, process " + gateway.pid());
        assertTrue(gateway.log(), gateway.log().contains("\nINFO org.dmabuf.heap.gateway - the gateway is up"));
        gateway.awaitLog("heap 'acme' of bundle org.example.acme.heap serves");
        Files.writeString(etc.resolve("org.dmabuf.heap.carveout-camera.cfg"), "size = 1M\nexports = memfd\n");
        gateway.awaitLog("heap 'camera' has 1 MiB on pages of " + Bytes.text(Bytes.PAGE) + ", and exports memfd");

        Map<String, String> environment = Map.of("DMAHEAP_ETC", etc.toString(), "DMAHEAP_RUN", run.toString());
        UnpackedGateway.Ended status = gateway.runToEnd(environment, "status");
        assertEquals(status.output(), 0, status.status());
        UnpackedGateway.Ended attached =
                gateway.runToEnd(Map.of(), "--etc", "" + etc, "--run=" + run, "--attach", "dmaheap:list");
        assertTrue(attached.output(), attached.output().contains("camera"));

        assertTrue(Files.exists(run.resolve("control")));
        assertTrue(Files.isDirectory(state.resolve("cache")));
        assertTrue(Files.isDirectory(state.resolve("configurations")));
        assertTrue("of attached shells", Files.exists(state.resolve("history")));
        assertFalse(Files.exists(gateway.home().resolve("cache")));
        assertFalse(Files.exists(gateway.home().resolve("configurations")));
        assertEquals(128 + 15, gateway.terminate());
        assertFalse(Files.exists(run.resolve("control")));
    }

    @Test
    public void the_shell_reads_its_profile_in_the_folder_of_the_configuration() throws Exception {
        Path etc = Files.move(gateway.home().resolve("etc"), root.resolve("configuration"));
        Path profile = etc.resolve("gosh_profile");
        Files.writeString(profile, Files.readString(profile).replace("'gateway> '", "'elsewhere> '"));
        Path script = folder.newFile().toPath();
        try (InputStream resource = FoldersIT.class.getResourceAsStream("terminal.py")) {
            Files.write(script, resource.readAllBytes());
        }
        ProcessBuilder builder = gateway.builder("--etc", etc.toString());
        builder.command().addAll(0, List.of("python3", script.toString(), "[('elsewhere>', 'exit 3\\r')]"));
        Path out = folder.newFile().toPath();
        Process shell =
                builder.redirectErrorStream(true).redirectOutput(out.toFile()).start();
        assertTrue(shell.waitFor(120, TimeUnit.SECONDS));
        assertEquals(Files.readString(out), 3, shell.exitValue());
    }

    @Test
    public void a_gateway_does_not_start_on_folders_that_other_users_can_write_to_unless_it_is_permitted()
            throws Exception {
        for (String name : List.of("deploy", "etc")) {
            Path shared = gateway.home().resolve(name);
            Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
            UnpackedGateway.Ended refused = gateway.runToEnd(Map.of(), "dmaheap:list");
            assertEquals(refused.output(), 1, refused.status());
            assertTrue(
                    refused.output(),
                    refused.output()
                            .startsWith("starting the gateway on " + shared + " failed: folder " + shared
                                    + " is writable by other users (mode 0777, owner "));
            assertTrue(refused.output(), refused.output().contains("; run chmod go-w " + shared + ", or set "));
            UnpackedGateway.Ended permitted =
                    gateway.runToEnd(Map.of("DMAHEAP_ALLOW_SHARED_FOLDERS", "true"), "dmaheap:list");
            assertEquals(permitted.output(), 0, permitted.status());
            Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        gateway.runOnce("dmaheap:list");
    }

    @Test
    public void a_read_only_mount_may_have_any_mode() throws Exception {
        Path etc = gateway.home().resolve("etc");
        assumeTrue(
                "skipped: only root can mount; run the tests as root",
                Files.getOwner(Path.of("/proc/self")).getName().equals("root"));
        Files.setPosixFilePermissions(etc, PosixFilePermissions.fromString("rwxrwxrwx"));
        ProcessBuilder builder = gateway.builder("dmaheap:list");
        String mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
        builder.command().addAll(0, List.of("unshare", "-m", "sh", "-c", mount, etc.toString()));
        Path out = folder.newFile().toPath();
        Process list =
                builder.redirectErrorStream(true).redirectOutput(out.toFile()).start();
        assertTrue(list.waitFor(120, TimeUnit.SECONDS));
        assertEquals(Files.readString(out), 0, list.exitValue());
    }
}
