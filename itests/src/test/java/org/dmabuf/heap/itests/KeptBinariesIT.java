// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;
import static org.ops4j.pax.exam.CoreOptions.systemProperty;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import javax.inject.Inject;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.ServiceReference;

/**
 * Test that a vendor's and a client's bundle, compiled against each kept release, run with the bundles of this build.
 */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class KeptBinariesIT {
    private static final String HEAPS = "kept-";

    @Inject
    private BundleContext context;

    private Framework framework;

    @Configuration
    public Option[] container() {
        return new Option[] {
            Gateway.options(),
            systemProperty("contract").value(System.getProperty("contract")),
            bundle(Gateway.dropIn("heap-tck").toUri().toString())
        };
    }

    @Test
    public void bundles_of_every_kept_release_still_work() throws Exception {
        framework = new Framework(context);
        framework.openWhatIsOpenedOnce();
        List<Path> releases = kept();
        assertFalse("nothing is kept", releases.isEmpty());
        for (Path release : releases) {
            run(release);
        }
    }

    private void run(Path release) throws Exception {
        ProcessState before = ProcessState.now();
        Bundle vendor = framework.install(release.resolve("vendor.jar"));
        Bundle client = framework.install(release.resolve("client.jar"));
        try {
            if (!start(release, vendor) || !start(release, client)) {
                return;
            }
            Map<String, HeapState> heaps = heaps();
            assertTrue(release + ": " + heaps, heaps.containsValue(HeapState.SERVING));
            selfCheck(client).forEach((check, result) -> assertEquals(release + ": " + check, "passed", result));
        } finally {
            client.uninstall();
            vendor.uninstall();
        }
        Framework.await(Map.of(), this::heaps);
        Framework.await(List.of(), KeptBinariesIT::threads);
        before.assertNothingLeft();
    }

    /** {@return whether the bundle runs; it need not run if it uses a package with a listed break} */
    private static boolean start(Path release, Bundle bundle) throws Exception {
        try {
            bundle.start();
            return true;
        } catch (BundleException e) {
            if (e.getType() != BundleException.RESOLVE_ERROR || breaks().isEmpty()) {
                throw e;
            }
            System.out.println("skipped: " + release + " does not resolve after " + breaks() + ": " + e.getMessage());
            return false;
        }
    }

    private static Map<String, String> selfCheck(Bundle client) throws Exception {
        BundleContext own = client.getBundleContext();
        String filter = "(check=" + client.getSymbolicName() + ")";
        Framework.await(
                1, () -> own.getServiceReferences(Callable.class, filter).size());
        @SuppressWarnings("rawtypes")
        Collection<ServiceReference<Callable>> services = own.getServiceReferences(Callable.class, filter);
        Map<String, String> results = new TreeMap<>();
        ((Map<?, ?>) own.getService(services.iterator().next()).call())
                .forEach((check, result) -> results.put(check.toString(), result.toString()));
        assertFalse("the client checks nothing", results.isEmpty());
        return results;
    }

    private Map<String, HeapState> heaps() {
        Map<String, HeapState> heaps = new TreeMap<>();
        for (HeapInfo heap : framework.broker().heaps()) {
            if (heap.name().startsWith(HEAPS)) {
                heaps.put(heap.name(), heap.state());
            }
        }
        return heaps;
    }

    private static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.contains(HEAPS))
                .toList();
    }

    private static List<String> breaks() throws IOException {
        try (Stream<String> lines = Files.lines(contract().resolve("breaks.txt"))) {
            return lines.filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .toList();
        }
    }

    private static List<Path> kept() throws IOException {
        try (Stream<Path> releases = Files.list(contract().resolve("kept"))) {
            return releases.sorted().toList();
        }
    }

    private static Path contract() {
        return Path.of(System.getProperty("contract"));
    }
}
