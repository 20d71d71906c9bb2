// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * A folder of jars, run as bundles. A jar that does not install, resolve or start is told in one sentence and left out:
 * a vendor's broken heap must not take the others down.
 */
final class BundleFolder {
    private final Path folder;

    BundleFolder(Path folder) {
        this.folder = folder;
    }

    /**
     * Runs every jar, in alphabetical order; the interactive shell starts last: its prompt means that all is up.
     *
     * @param context of a framework that runs
     * @param problems gets a sentence for each jar that does not run
     * @param beforeShell what else there is to start
     * @return whether there is an interactive shell among those that run
     */
    boolean run(BundleContext context, Consumer<String> problems, Runnable beforeShell) throws Failure {
        FrameworkWiring wiring = context.getBundle().adapt(FrameworkWiring.class);
        Map<Bundle, String> bundles = install(context, problems);
        wiring.resolveBundles(bundles.keySet()); // all at once, so that an optional import finds what comes later
        Map<Boolean, List<Bundle>> byShell = bundles.keySet().stream()
                .filter(bundle -> bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null)
                .collect(Collectors.partitioningBy(BundleFolder::isShell));
        byShell.get(false).forEach(bundle -> start(bundle, bundles.get(bundle), wiring, problems));
        beforeShell.run();
        return byShell.get(true).stream()
                .filter(bundle -> start(bundle, bundles.get(bundle), wiring, problems))
                .count() > 0;
    }

    private Map<Bundle, String> install(BundleContext context, Consumer<String> problems) throws Failure {
        Map<Bundle, String> bundles = new LinkedHashMap<>();
        for (Path jar : jars()) {
            String name = jar.getFileName().toString();
            try {
                // By reference: the bundle that runs is this very file, and nothing is copied.
                bundles.put(context.installBundle("reference:" + jar.toUri()), name);
            } catch (BundleException e) {
                problems.accept(name + " is not installed: " + Sentence.of(e));
            }
        }
        return bundles;
    }

    private List<Path> jars() throws Failure {
        List<Path> jars = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder, "*.jar")) {
            stream.forEach(jars::add);
        } catch (IOException | DirectoryIteratorException e) {
            throw Failure.of("cannot list " + folder + ": " + Sentence.of(e), e);
        }
        jars.sort(Comparator.naturalOrder());
        return jars;
    }

    private static boolean start(Bundle bundle, String name, FrameworkWiring wiring, Consumer<String> problems) {
        try {
            bundle.start();
            return true;
        } catch (BundleException e) {
            List<String> missing = Missing.from(bundle, wiring);
            problems.accept(name + " does not start: "
                    + (missing.isEmpty() ? Sentence.of(e) : "it lacks " + String.join(", ", missing)));
            return false;
        }
    }

    /** Whether a bundle is an interactive shell, by the capability that each of Gogo's two declares. */
    private static boolean isShell(Bundle bundle) {
        return bundle.adapt(BundleRevision.class).getDeclaredCapabilities("org.apache.felix.gogo").stream()
                .anyMatch(c -> "shell.implementation".equals(c.getAttributes().get("org.apache.felix.gogo")));
    }
}
