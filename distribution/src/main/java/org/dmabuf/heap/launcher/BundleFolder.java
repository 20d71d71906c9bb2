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
 * Folder of jars that run as bundles. If a jar does not install, resolve or start, the log reports it in one sentence
 * and the other jars run: a vendor's broken heap must not stop them. The gateway also continues without a jar that
 * blocks.
 */
final class BundleFolder {
    /** Time that the start of the gateway waits for a jar that blocks. */
    private static final long PATIENCE_MILLIS = 15_000;
    /**
     * Time that it waits for a jar whose start makes progress, as on a slow machine: without that jar the shell may
     * lack commands.
     */
    private static final long WORK_MILLIS = 120_000;

    private final Path folder;
    private final Queue<Step> unfinished = new ConcurrentLinkedQueue<>();

    BundleFolder(Path folder) {
        this.folder = folder;
    }

    /**
     * Runs every jar, in alphabetical order. The interactive shell starts last, so its prompt shows that the start is
     * complete.
     *
     * @param context context of a running framework
     * @param reports receives a sentence for each jar that does not run
     * @param beforeShell work before the start of the shell
     * @return whether an interactive shell runs
     */
    boolean run(BundleContext context, Reports reports, Runnable beforeShell) throws Failure {
        FrameworkWiring wiring = context.getBundle().adapt(FrameworkWiring.class);
        Map<Bundle, String> bundles = install(context, reports);
        // All at once, so that an optional import is wired to a bundle that comes later in the list.
        wiring.resolveBundles(bundles.keySet());
        Map<Boolean, List<Bundle>> byShell = bundles.keySet().stream()
                .filter(bundle -> bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null)
                .collect(Collectors.partitioningBy(BundleFolder::isShell));
        byShell.get(false).forEach(bundle -> start(bundle, bundles.get(bundle), wiring, reports));
        beforeShell.run();
        return byShell.get(true).stream()
                        .filter(bundle -> start(bundle, bundles.get(bundle), wiring, reports))
                        .count()
                > 0;
    }

    /** Interrupts starts that have not returned, so that the framework can stop. */
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
            reports.problem(
                    jar.getFileName() + " is not installed: " + flaw.get().sentence());
        } else {
            // Installed by reference: the bundle is this file itself, and no copy is made.
            installed.add(context.installBundle("reference:" + jar.toUri()));
        }
    }

    private List<Path> jars() throws Failure {
        List<Path> jars = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder, "*.jar")) {
            stream.forEach(jars::add);
        } catch (IOException | DirectoryIteratorException e) {
            throw Failure.of("listing " + folder + " failed: " + Sentence.of(e), e);
        }
        if (!Files.isExecutable(folder)) { // each jar would seem to be missing
            throw Failure.of("entering " + folder + " failed: permission denied; run chmod a+rx " + folder);
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

    /** {@return whether it succeeded within the time limit} */
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
        } catch (OutOfMemoryError e) { // also if no thread can be created
            reports.problem(name + " does not run: " + Sentence.of(e));
        }
        return well.get();
    }

    /** Whether a bundle is an interactive shell. Each of Gogo's two shells declares this capability. */
    private static boolean isShell(Bundle bundle) {
        return bundle.adapt(BundleRevision.class).getDeclaredCapabilities("org.apache.felix.gogo").stream()
                .anyMatch(c -> "shell.implementation".equals(c.getAttributes().get("org.apache.felix.gogo")));
    }
}
