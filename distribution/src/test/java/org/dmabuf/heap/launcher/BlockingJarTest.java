// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;

/**
 * Tests of jars that block or throw Errors, in a real framework. The other jars run, and the log names the blocking
 * method.
 */
@Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BlockingJarTest {
    private static final String ACTIVATOR = "org.dmabuf.heap.launcher.unruly.BlockingActivator.";

    private final List<String> problems = Collections.synchronizedList(new ArrayList<>());

    @TempDir
    Path folder;

    private Path bundles;
    private Path deploy;
    private Path released;

    @BeforeEach
    void makeFolders() throws IOException {
        bundles = Files.createDirectory(folder.resolve("bundles"));
        deploy = Files.createDirectory(folder.resolve("deploy"));
        released = folder.resolve("released");
    }

    @AfterEach
    void release() throws IOException {
        if (!Files.exists(released)) {
            Files.createFile(released);
        }
    }

    @Test
    void start_that_blocks_in_the_bundles_folder_is_named_and_the_others_come_up() throws Exception {
        blocking(bundles, "b", Map.of("Start-When", released.toString()));
        TestJar.plain(bundles.resolve("c.jar"), "org.acme.c", Map.of());
        TestJar.plain(deploy.resolve("d.jar"), "org.acme.d", Map.of());
        try (Gateway gateway = start()) {
            assertEquals(Bundle.ACTIVE, state(gateway, "c"));
            assertEquals(Bundle.ACTIVE, state(gateway, "d"));
            assertReported("b.jar: its start still runs after 5 s, in ", ACTIVATOR + "start(");
            release();
            await(Bundle.ACTIVE, () -> state(gateway, "b"));
        }
        assertEquals(1, problems.size(), problems.toString());
    }

    @Test
    void start_that_blocks_in_the_deploy_folder_is_named_and_its_bundle_runs_when_it_returns() throws Exception {
        blocking(deploy, "a", Map.of("Start-When", released.toString()));
        TestJar.plain(deploy.resolve("b.jar"), "org.acme.b", Map.of());
        try (Gateway gateway = start()) {
            assertReported("a.jar: its start still runs after 5 s, in ", ACTIVATOR + "start(");
            assertEquals(Bundle.ACTIVE, state(gateway, "b"));
            TestJar.plain(deploy.resolve("c.jar"), "org.acme.c", Map.of());
            await(Bundle.ACTIVE, () -> state(gateway, "c"));
            release();
            await(Bundle.ACTIVE, () -> state(gateway, "a"));
            Files.delete(deploy.resolve("a.jar"));
            await(0, () -> state(gateway, "a"));
        }
        assertEquals(1, problems.size(), problems.toString());
    }

    @Test
    void jar_that_is_removed_while_its_start_blocks_is_interrupted_and_uninstalled() throws Exception {
        Path jar = blocking(deploy, "a", Map.of("Start-When", released.toString()));
        try (Gateway gateway = start()) {
            Files.delete(jar);
            await(0, () -> state(gateway, "a"));
            assertReported("a.jar is gone, but its start still runs; it is uninstalled when that returns");
        }
    }

    @Test
    void jar_that_is_replaced_while_its_start_ignores_interrupts_is_replaced_when_that_returns() throws Exception {
        Path jar = blocking(deploy, "a", Map.of("Start-When", released.toString(), "Deaf", "yes"));
        try (Gateway gateway = start()) {
            TestJar.plain(jar, "org.acme.a", Map.of("Bundle-Version", "2.0"));
            await(
                    true,
                    () -> isReported(
                            "a.jar has changed, but its start still runs; it is checked again when that" + " returns"));
            release();
            await("2.0.0", () -> bundle(gateway, "a").getVersion().toString());
            await(Bundle.ACTIVE, () -> state(gateway, "a"));
        }
    }

    @Test
    void stop_that_blocks_holds_up_no_other_jar_and_the_end_of_the_gateway_is_bounded() throws Exception {
        Path jar = blocking(deploy, "a", Map.of("Stop-When", released.toString(), "Deaf", "yes"));
        Path folderOfCache;
        try (Gateway gateway = start()) {
            folderOfCache = cache.folder();
            Files.delete(jar);
            await(true, () -> isReported("a.jar: its stop still runs after 5 s, in ", ACTIVATOR + "stop("));
            Path other = TestJar.plain(deploy.resolve("b.jar"), "org.acme.b", Map.of());
            await(Bundle.ACTIVE, () -> state(gateway, "b"));
            Files.delete(other);
            await(0, () -> state(gateway, "b"));
        }
        assertReported("the framework has not stopped after 10 s, since a bundle blocks");
        assertFalse(Files.exists(folderOfCache));
    }

    @Test
    void stop_that_blocks_while_packages_are_exchanged_freezes_no_other_bundle() throws Exception {
        Path provider = TestJar.plain(
                deploy.resolve("p.jar"), "org.acme.p", Map.of("Export-Package", "org.acme.dma;version=1.0"));
        blocking(deploy, "u", Map.of("Import-Package", "org.acme.dma", "Stop-When", released.toString()));
        TestJar.plain(deploy.resolve("v.jar"), "org.acme.v", Map.of("Import-Package", "org.acme.dma"));
        try (Gateway gateway = start()) {
            TestJar.plain(
                    provider,
                    "org.acme.p",
                    Map.of("Export-Package", "org.acme.dma;version=1.0", "Bundle-Version", "2.0"));
            await(true, () -> isReported("org.acme.u: its stop still runs after 5 s, in ", ACTIVATOR + "stop("));
            TestJar.plain(deploy.resolve("w.jar"), "org.acme.w", Map.of());
            await(Bundle.ACTIVE, () -> state(gateway, "w"));
            await(Bundle.ACTIVE, () -> state(gateway, "v"));
            await(Bundle.ACTIVE, () -> state(gateway, "p"));
            release();
            await(Bundle.ACTIVE, () -> state(gateway, "u"));
            await(Bundle.ACTIVE, () -> state(gateway, "v"));
        }
    }

    @Test
    void shortage_of_memory_at_a_start_is_reported_and_tried_again_by_itself() throws Exception {
        blocking(deploy, "a", Map.of("Short-Until", released.toString()));
        TestJar.plain(deploy.resolve("b.jar"), "org.acme.b", Map.of());
        try (Gateway gateway = start()) {
            assertReported("a.jar does not start: too little memory (Java heap space); it will be tried again");
            assertEquals(Bundle.ACTIVE, state(gateway, "b"));
            release();
            await(Bundle.ACTIVE, () -> state(gateway, "a"));
        }
        assertEquals(1, problems.size(), problems.toString());
    }

    @Test
    void log_that_throws_ends_no_thread_and_gets_the_problem_again() throws Exception {
        Files.writeString(deploy.resolve("text.jar"), "hello");
        List<String> thrownAt = Collections.synchronizedList(new ArrayList<>());
        Consumer<String> failing = sentence -> {
            if (thrownAt.size() < 2) {
                thrownAt.add(sentence);
                throw new OutOfMemoryError("Java heap space");
            }
            problems.add(sentence);
        };
        try (Gateway gateway = start(failing)) {
            await(true, () -> isReported("text.jar is not installed: it is not a jar"));
            TestJar.plain(deploy.resolve("b.jar"), "org.acme.b", Map.of());
            await(Bundle.ACTIVE, () -> state(gateway, "b"));
        }
        assertEquals(2, thrownAt.size());
        assertEquals(1, problems.size(), problems.toString());
    }

    @Test
    void special_file_is_reported_and_never_opened() throws Exception {
        for (Path in : List.of(bundles, deploy)) {
            assertEquals(
                    0,
                    new ProcessBuilder("mkfifo", in.resolve("fifo.jar").toString())
                            .start()
                            .waitFor());
            Files.createSymbolicLink(in.resolve("link.jar"), in.resolve("fifo.jar"));
            Files.createSymbolicLink(in.resolve("zero.jar"), Path.of("/dev/zero"));
            Files.createDirectory(in.resolve("dir.jar"));
        }
        try (Gateway gateway = start()) {
            assertEquals(0, gateway.context().getBundles().length - 1);
        }
        assertEquals(8, problems.size(), problems.toString());
        for (String name : List.of("fifo", "link", "zero", "dir")) {
            assertReported(name + ".jar is not installed: it is not a regular file; drop a bundle, or remove it");
        }
    }

    @Test
    void names_of_jars_cannot_forge_a_line_or_drive_the_terminal() throws Exception {
        for (Path in : List.of(bundles, deploy)) {
            Files.writeString(in.resolve("a\nWARN forged\u001b[31m\u202e\u2028.jar"), "hello");
        }
        try (Gateway gateway = start()) {
            await(2, problems::size);
            assertEquals(Bundle.ACTIVE, gateway.context().getBundle().getState());
        }
        for (String problem : problems) {
            assertTrue(
                    problem.startsWith(
                            "a\\u000aWARN forged\\u001b[31m\\u202e\\u2028.jar is not installed: it is not a jar"),
                    problem);
        }
    }

    private BundleCache cache;

    private Gateway start() throws Failure {
        return start(problems::add);
    }

    private Gateway start(Consumer<String> to) throws Failure {
        cache = BundleCache.create(folder.resolve("cache"), folder);
        Gateway gateway = new Gateway(bundles, deploy, cache, Map.of());
        gateway.start(new Commands(() -> {}), to);
        return gateway;
    }

    private static Path blocking(Path in, String name, Map<String, String> headers) throws IOException {
        return TestJar.blocking(in.resolve(name + ".jar"), "org.acme." + name, headers);
    }

    private static Bundle bundle(Gateway gateway, String name) {
        for (Bundle bundle : gateway.context().getBundles()) {
            if (("org.acme." + name).equals(bundle.getSymbolicName())) {
                return bundle;
            }
        }
        return null;
    }

    private static int state(Gateway gateway, String name) {
        Bundle bundle = bundle(gateway, name);
        return bundle == null ? 0 : bundle.getState();
    }

    private boolean isReported(String... parts) {
        return List.copyOf(problems).stream()
                .anyMatch(
                        problem -> List.of(parts).stream().allMatch(problem::contains) && problem.startsWith(parts[0]));
    }

    private void assertReported(String... parts) {
        assertTrue(isReported(parts), problems.toString());
    }

    /** Waits for a condition that another thread fulfils. */
    private <T> void await(T expected, Callable<T> actual) throws Exception {
        T last = null;
        for (int i = 0; i < 6000 && !expected.equals(last); i++) {
            Thread.sleep(10);
            last = actual.call();
        }
        assertEquals(expected, last, "within a minute; problems: " + problems);
    }
}
