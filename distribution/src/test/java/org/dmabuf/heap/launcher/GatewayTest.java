// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;

/** Tests of a real framework with bundles that consist only of a manifest. */
class GatewayTest {
    private final ClassLoader loader = Thread.currentThread().getContextClassLoader();
    private final List<String> problems = new CopyOnWriteArrayList<>();

    @TempDir
    Path folder;

    private Path bundles;

    @BeforeEach
    void makeFolder() throws IOException {
        bundles = Files.createDirectory(folder.resolve("bundles with a blank"));
    }

    @AfterEach
    void restoreContextClassLoader() {
        Thread.currentThread().setContextClassLoader(loader);
    }

    @Test
    void bundles_run_from_their_own_files_and_nothing_is_left_at_the_end() throws Exception {
        Path jar = bundle("good", Map.of("Export-Package", "org.acme;version=1.0"));
        BundleCache cache = cache();
        Bundle framework;
        try (Gateway gateway = start(cache)) {
            framework = gateway.context().getBundle();
            Bundle good = gateway.context().getBundle("reference:" + jar.toUri());
            assertEquals(Bundle.ACTIVE, good.getState());
        }
        assertEquals(List.of(), problems);
        assertEquals(Bundle.RESOLVED, framework.getState());
        assertFalse(Files.exists(cache.folder()));
        assertTrue(Files.exists(jar));
    }

    @Test
    void bundles_that_do_not_run_are_reported_and_the_others_run() throws Exception {
        bundle("a", Map.of("Import-Package", "org.acme.gone;version=\"[1,2)\",org.acme.nice;resolution:=optional"));
        bundle("b", Map.of("Import-Package", "org.acme.a"));
        Files.writeString(bundles.resolve("c.jar"), "no jar");
        bundle("d", Map.of("Require-Bundle", "org.acme.a"));
        bundle("e", Map.of("Bundle-Activator", "org.acme.Gone"));
        bundle("f", Map.of());
        try (Gateway gateway = start(cache())) {
            List<String> active = Arrays.stream(gateway.context().getBundles())
                    .filter(bundle -> bundle.getBundleId() != 0 && bundle.getState() == Bundle.ACTIVE)
                    .map(Bundle::getSymbolicName)
                    .toList();
            assertEquals(List.of("org.acme.f"), active);
        }
        assertEquals(5, problems.size(), problems.toString());
        assertTrue(problems.get(0).startsWith("c.jar is not installed: "), problems.get(0));
        assertEquals("a.jar does not start: it lacks package org.acme.gone [1.0.0,2.0.0)", problems.get(1));
        assertEquals("b.jar does not start: it lacks package org.acme.a", problems.get(2));
        assertEquals(
                "d.jar does not start: it lacks bundle org.acme.a (org.acme.a has it, but does not resolve itself)",
                problems.get(3));
        assertTrue(problems.get(4).startsWith("e.jar does not start: "), problems.get(4));
    }

    @Test
    void dropped_bundles_run_before_start_returns_and_a_stopped_bundle_stays_stopped() throws Exception {
        Path deploy = Files.createDirectory(folder.resolve("deploy"));
        Files.move(bundle("b", Map.of("Import-Package", "org.acme.a")), deploy.resolve("b.jar"));
        Files.move(bundle("c", Map.of("Export-Package", "org.acme.a")), deploy.resolve("c.jar"));
        try (Gateway gateway = start(cache())) {
            Bundle b =
                    gateway.context().getBundle(deploy.resolve("b.jar").toUri().toString());
            Bundle c =
                    gateway.context().getBundle(deploy.resolve("c.jar").toUri().toString());
            assertEquals(List.of(Bundle.ACTIVE, Bundle.ACTIVE), List.of(b.getState(), c.getState()));

            c.stop();
            Files.move(bundle("d", Map.of()), deploy.resolve("d.jar"));
            awaitState(Bundle.ACTIVE, gateway, deploy.resolve("d.jar"));
            assertEquals(Bundle.RESOLVED, c.getState());
        }
        assertEquals(List.of(), problems);
    }

    @Test
    void deploy_folder_may_come_later() throws Exception {
        try (Gateway gateway = start(cache())) {
            Path deploy = Files.createDirectory(folder.resolve("deploy"));
            Files.move(bundle("late", Map.of()), deploy.resolve("late.jar"));
            awaitState(Bundle.ACTIVE, gateway, deploy.resolve("late.jar"));
        }
        assertEquals(List.of(), problems);
    }

    @Test
    void a_link_to_itself_does_not_stop_the_deploy_folder() throws Exception {
        Path deploy = Files.createDirectory(folder.resolve("deploy"));
        Files.createSymbolicLink(deploy.resolve("loop.jar"), Path.of("loop.jar"));
        Files.move(bundle("b", Map.of()), deploy.resolve("b.jar"));
        try (Gateway gateway = start(cache())) {
            awaitState(Bundle.ACTIVE, gateway, deploy.resolve("b.jar"));
        }
        assertEquals(
                List.of("loop.jar does not run, since its link to loop.jar leads to no file; correct the link, or"
                        + " remove it"),
                problems);
    }

    private static void awaitState(int state, Gateway gateway, Path jar) throws InterruptedException {
        int last = 0;
        for (int i = 0; i < 1000 && last != state; i++) {
            Thread.sleep(10);
            Bundle bundle = gateway.context().getBundle(jar.toUri().toString());
            last = bundle == null ? 0 : bundle.getState();
        }
        assertEquals(state, last, jar + " within 10 s");
    }

    private Gateway start(BundleCache cache) throws Failure {
        Gateway gateway = new Gateway(bundles, folder.resolve("deploy"), cache, Map.of());
        gateway.start(new Commands(() -> {}), problems::add);
        return gateway;
    }

    private BundleCache cache() throws Failure {
        return BundleCache.create(folder.resolve("cache"), folder);
    }

    private Path bundle(String name, Map<String, String> headers) throws IOException {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.putValue("Manifest-Version", "1.0");
        attributes.putValue("Bundle-ManifestVersion", "2");
        attributes.putValue("Bundle-SymbolicName", "org.acme." + name);
        headers.forEach(attributes::putValue);
        Path jar = bundles.resolve(name + ".jar");
        try (OutputStream out = Files.newOutputStream(jar)) {
            new JarOutputStream(out, manifest).close();
        }
        return jar;
    }
}
