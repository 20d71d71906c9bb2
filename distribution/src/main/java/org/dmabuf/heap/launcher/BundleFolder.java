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
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.dmabuf.heap.launcher.Step.Activity;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.BundleRevision;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * Folder of jars that run as bundles. A jar that does not install, resolve or start is reported in one sentence and
 * left out: a vendor's broken heap must not take the others down. The gateway also goes on without a jar that blocks.
 */
final class BundleFolder {
    /** How long the start of the gateway waits for a jar that blocks. */
    private static final long PATIENCE_MILLIS = 15_000;
    /** How long it waits for a jar whose start works, as on a slow machine: without it, the shell lacks commands. */
    private static final long WORK_MILLIS = 120_000;

    private final Path folder;
    private final Queue<Step> unfinished = new ConcurrentLinkedQueue<>();

    BundleFolder(Path folder) {
        this.folder = folder;
    }

    /**
     * Runs every jar, in alphabetical order; the interactive shell starts last: its prompt means that all is up.
     *
     * @param context of a framework that runs
     * @param reports gets a sentence for each jar that does not run
     * @param beforeShell what else there is to start
     * @return whether there is an interactive shell among those that run
     */
    boolean run(BundleContext context, Reports reports, Runnable beforeShell) throws Failure {
        FrameworkWiring wiring = context.getBundle().adapt(FrameworkWiring.class);
        Map<Bundle, String> bundles = install(context, reports);
        wiring.resolveBundles(bundles.keySet()); // all at once, so that an optional import finds what comes later
        Map<Boolean, List<Bundle>> byShell = bundles.keySet().stream()
                .filter(bundle -> bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null)
                .collect(Collectors.partitioningBy(BundleFolder::isShell));
        byShell.get(false).forEach(bundle -> start(bundle, bundles.get(bundle), wiring, reports));
        beforeShell.run();
        return byShell.get(true).stream()
                .filter(bundle -> start(bundle, bundles.get(bundle), wiring, reports))
                .count() > 0;
    }

    /** Interrupts what still starts, so that the framework can stop. */
    void giveUp() {
        unfinished.forEach(Step::giveUp);
    }

    private Map<Bundle, String> install(BundleContext context, Reports reports) throws Failure {
        Map<Bundle, String> bundles = new LinkedHashMap<>();
        for (Path jar : jars()) {
            String name = jar.getFileName().toString();
            Queue<Bundle> installed = new ConcurrentLinkedQueue<>();
            perform(name, Activity.INSTALLING, _ -> install(jar, context, installed, reports), reports);
            installed.forEach(bundle -> bundles.put(bundle, name));
        }
        return bundles;
    }

    private static void install(Path jar, BundleContext context, Queue<Bundle> installed, Reports reports)
            throws IOException, BundleException {
        Optional<JarFlaw> flaw = JarFlaw.ofManifest(jar);
        if (flaw.isPresent()) {
            reports.problem(jar.getFileName() + " is not installed: " + flaw.get().sentence());
        } else {
            // By reference: the bundle that runs is this very file, and nothing is copied.
            installed.add(context.installBundle("reference:" + jar.toUri()));
        }
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

    private boolean start(Bundle bundle, String name, FrameworkWiring wiring, Reports reports) {
        return perform(
                name,
                Activity.STARTING,
                step -> {
                    startNow(bundle, wiring);
                    if (step.isReported()) {
                        reports.info(name + ": its start has returned, and it runs");
                    }
                },
                reports);
    }

    private static void startNow(Bundle bundle, FrameworkWiring wiring) throws BundleException {
        try {
            bundle.start();
        } catch (BundleException e) {
            List<String> missing = Missing.from(bundle, wiring);
            throw missing.isEmpty() ? e : new BundleException("it lacks " + String.join(", ", missing));
        }
    }

    /** {@return whether it went well, within the time that there is} */
    private boolean perform(String name, Activity activity, Step.Body body, Reports reports) {
        AtomicBoolean well = new AtomicBoolean();
        try {
            Step step = Step.start(name, activity, running -> {
                try {
                    body.run(running);
                    well.set(true);
                } catch (Throwable e) {
                    if (running.isGivenUp()) {
                        return;
                    }
                    String what = activity == Activity.STARTING ? " does not start: " : " is not installed: ";
                    reports.problem(name + what + Sentence.of(e));
                }
            });
            if (!step.await(Step.NOTICE_MILLIS)) {
                step.report().ifPresent(reports::problem);
                if (!step.awaitWork(
                        Step.NOTICE_MILLIS, PATIENCE_MILLIS - Step.NOTICE_MILLIS, WORK_MILLIS - Step.NOTICE_MILLIS)) {
                    unfinished.add(step);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (OutOfMemoryError e) { // also for want of a thread
            reports.problem(name + " does not run: " + Sentence.of(e));
        }
        return well.get();
    }

    /** Whether a bundle is an interactive shell, by the capability that each of Gogo's two declares. */
    private static boolean isShell(Bundle bundle) {
        return bundle.adapt(BundleRevision.class).getDeclaredCapabilities("org.apache.felix.gogo").stream()
                .anyMatch(c -> "shell.implementation".equals(c.getAttributes().get("org.apache.felix.gogo")));
    }
}
