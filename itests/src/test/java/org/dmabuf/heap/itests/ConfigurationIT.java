// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.Callable;
import javax.inject.Inject;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapState;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;

/** Files of the folder etc that a person edits while the gateway runs: what a mistake does, and what is told of it. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class ConfigurationIT {
    private static final String CHECKS = "ConfigurationChecks";

    @Inject
    private BundleContext context;

    private final Path etc = Path.of(System.getProperty("felix.fileinstall.dir"));
    private Framework framework;
    private CapturedLog log;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Before
    public void the_log_is_read() {
        framework = new Framework(context);
        log = new CapturedLog();
    }

    @After
    public void the_log_is_given_back() {
        log.close();
    }

    private static void write(Path file, String... lines) throws IOException {
        Path whole =
                Files.writeString(file.resolveSibling(file.getFileName() + ".part"), String.join("\n", lines) + "\n");
        Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE);
    }

    private void awaitLogged(String sentence) throws Exception {
        Framework.await(true, () -> !log.lines(sentence).isEmpty());
        assertEquals(sentence, 1, log.lines(sentence).size());
    }

    private long capacity(String heap) {
        return framework.heap(heap, HeapState.SERVING).usage().capacity().orElse(0);
    }

    @Test
    public void a_mistake_in_a_live_file_leaves_the_heap_as_it_is_and_its_correction_takes_effect() throws Exception {
        Path file = etc.resolve("org.dmabuf.heap.carveout-live.cfg");
        try {
            write(file, "size = 1M", "exports = memfd");
            Framework.await(true, () -> framework.names(HeapState.SERVING).contains("live"));
            AllocationRequest request = AllocationRequest.of(4096).withHeaps("live");
            try (DmaBuf held = framework.broker().allocate(request)) {
                write(file, "# larger", "exports = memfd", "size = 2 of M");
                awaitLogged(
                        "heap 'live' stays as it is: invalid size = 2 of M in etc/org.dmabuf.heap.carveout-live.cfg,"
                                + " line 3: expected bytes, or a number with K, M, G or T: 256M");
                assertEquals(1 << 20, capacity("live"));
                framework.broker().allocate(request).close();
                FirstByte.write(held, 1);
                assertTrue(framework.names(HeapState.DEPARTED).isEmpty());

                write(file, "# larger", "exports = memfd", "size = 2M");
                Framework.await(
                        true,
                        () -> framework.names(HeapState.SERVING).contains("live") && capacity("live") == 2 << 20);
            }
        } finally {
            Files.deleteIfExists(file);
        }
        Framework.await(false, () -> framework.names(HeapState.SERVING).contains("live"));
    }

    @Test
    public void the_broker_refuses_a_wait_outside_its_range() throws Exception {
        Path file = etc.resolve("org.dmabuf.heap.broker.cfg");
        String before = Files.readString(file);
        try {
            for (String wrong : List.of("99999", "-5")) {
                write(file, "# short", "drain.ms = " + wrong);
                awaitLogged("invalid drain.ms = " + wrong + " in etc/org.dmabuf.heap.broker.cfg, line 2: expected a"
                        + " whole number from 0 to 4000; what was in force stays");
            }
        } finally {
            Files.writeString(file, before);
        }
    }

    @Test
    public void what_file_install_drops_or_misreads_is_told() throws Exception {
        Path mark = etc.resolve("org.dmabuf.heap.carveout-mark.cfg");
        Path folder = etc.resolve("org.dmabuf.heap.carveout-folder.cfg");
        Path backslash = etc.resolve("org.dmabuf.heap.carveout-slash.cfg");
        Path misspelt = etc.resolve("org.dmabuf.heap.carevout-camera.cfg");
        Path ending = etc.resolve("org.dmabuf.heap.carveout-camera.cfg.txt");
        try {
            write(mark, "\uFEFF# a carveout", "size = 1M", "exports = memfd");
            Files.createDirectory(folder);
            write(backslash, "size = 1M\\", "exports = memfd");
            write(misspelt, "size = 1M");
            write(ending, "size = 1M");
            awaitLogged("invalid byte order mark in etc/org.dmabuf.heap.carveout-mark.cfg, line 1");
            awaitLogged("invalid folder etc/org.dmabuf.heap.carveout-folder.cfg: expected a file");
            awaitLogged("invalid backslash at the end of the line in etc/org.dmabuf.heap.carveout-slash.cfg, line 1");
            awaitLogged("invalid name org.dmabuf.heap.carevout-camera.cfg in etc: expected the name of a component, and"
                    + " none has org.dmabuf.heap.carevout; there is org.dmabuf.heap.carveout");
            awaitLogged("invalid name org.dmabuf.heap.carveout-camera.cfg.txt in etc: expected one that ends in .cfg");
        } finally {
            for (Path file : List.of(mark, folder, backslash, misspelt, ending)) {
                Files.deleteIfExists(file);
            }
        }
        Framework.await(false, () -> framework.names(HeapState.SERVING).contains("mark"));
        Framework.await(false, () -> framework.names(HeapState.FAILED).contains("slash"));
    }

    @Test
    public void a_setting_that_a_vendors_heap_does_not_know_is_told_and_its_mistake_leaves_it_as_it_is()
            throws Exception {
        Path file = etc.resolve("org.example.acme.heap.cfg");
        Bundle vendor = framework.install(Gateway.dropIn("vendor-heap"));
        try {
            write(file, "heap.id = 44", "heap.colour = blue");
            vendor.start();
            Callable<Object> id = () -> framework.names(HeapState.SERVING).contains("acme")
                    ? framework.heap("acme", HeapState.SERVING).properties().get("heap.id")
                    : null;
            Framework.await(44, id);
            awaitLogged("unknown setting heap.colour in etc/org.example.acme.heap.cfg, line 2: expected one of heap.");

            write(file, "heap.id = forty");
            awaitLogged("heap 'acme' stays as it is: invalid heap.id = forty in etc/org.example.acme.heap.cfg, line 1");
            assertEquals(44, id.call());
            write(file, "heap.id = 45");
            Framework.await(45, id);
        } finally {
            Files.deleteIfExists(file);
            vendor.uninstall();
        }
        assertTrue(log.lines(CHECKS).toString(), log.lines(CHECKS).size() <= 1);
    }
}
