// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.launcher.Step.Activity;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleException;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * Exchange of the packages of replaced or removed bundles. Bundles that use them are stopped, wired to the new
 * packages, and started again. Other bundles are not touched.
 *
 * <p>The framework would stop those bundles itself, but while it holds a lock that every install and resolve needs. A
 * bundle that blocks in its stop would then block all others. So this class stops the bundles first. If one of them
 * blocks, the others start again with the old packages, and the exchange is postponed until that one has stopped.
 */
final class PackageRefresh {
    /** Interval of checks after a postponed exchange; the end of the blocking stop causes no event here. */
    private static final long RETRY_MILLIS = 10_000;

    private static final long POLL_MILLIS = 100;

    private final FrameworkWiring wiring;
    private final Reports reports;
    private final Queue<Bundle> stopped = new ConcurrentLinkedQueue<>();
    private final List<Step> restarts = new ArrayList<>();
    private Step step;
    private Step resolving;
    private volatile boolean postponed;
    private long postponedAt;
    private String reported = "";

    PackageRefresh(FrameworkWiring wiring, Reports reports) {
        this.wiring = wiring;
        this.reports = reports;
    }

    /** Reports steps that do not return; {@return whether an exchange or resolution is due} */
    boolean collect() {
        restarts.removeIf(this::isOver);
        if (step != null && isOver(step)) {
            step = null;
            return true;
        }
        boolean due = postponed && System.nanoTime() - postponedAt > TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS);
        return step == null && (due || !stopped.isEmpty());
    }

    private boolean isOver(Step running) {
        if (!running.isDone()) {
            running.report().ifPresent(reports::problem);
            return false;
        }
        Optional<Throwable> failure = running.failure();
        if (failure.isPresent()) {
            reports.problem(
                    running.subject() + ": " + running.activity().words() + " failed: " + Sentence.of(failure.get()));
        }
        return true;
    }

    /** Does the due work. The caller starts dropped jars that were stopped for it. */
    void run(Collection<DroppedJar> jars) throws InterruptedException {
        if (step == null) {
            postponed = false;
            step = Step.start("the framework", Activity.REFRESHING, this::exchange);
            if (!step.await(Step.NOTICE_MILLIS)) {
                // Others do not wait longer for a bundle that blocks in its stop, and the exchange does not begin.
                step.giveUpUnless(Activity.REFRESHING);
            }
            if (isOver(step)) {
                step = null;
            }
            postponedAt = System.nanoTime();
        }
        if (step == null || step.isGivenUp()) {
            restart(jars);
        }
    }

    /** Resolves bundles together. This needs the framework's lock, which a bundle that blocks may hold. */
    void resolve(Collection<Bundle> bundles) throws InterruptedException {
        if (resolving == null) {
            resolving = Step.start("the framework", Activity.INSTALLING, _ -> wiring.resolveBundles(bundles));
            resolving.await(Step.NOTICE_MILLIS);
        }
        if (isOver(resolving)) {
            resolving = null;
        }
    }

    private void exchange(Step exchanging) throws InterruptedException {
        Collection<Bundle> outdated = wiring.getRemovalPendingBundles();
        if (outdated.isEmpty()) {
            return;
        }
        for (Bundle user : wiring.getDependencyClosure(outdated)) {
            if (user.getBundleId() != 0 && !stop(user, exchanging)) {
                return;
            }
        }
        if (!exchanging.enter(Activity.REFRESHING, "the framework")) {
            return;
        }
        reported = "";
        CountDownLatch done = new CountDownLatch(1);
        wiring.refreshBundles(outdated, _ -> done.countDown());
        // The framework reports the end through its event queue, which a listener may block.
        while (!done.await(POLL_MILLIS, TimeUnit.MILLISECONDS)
                && wiring.getRemovalPendingBundles().stream().anyMatch(Set.copyOf(outdated)::contains)) {}
    }

    private boolean stop(Bundle user, Step exchanging) {
        int state = user.getState();
        if (state == Bundle.STOPPING
                || state == Bundle.STARTING
                        && !user.adapt(BundleStartLevel.class).isActivationPolicyUsed()) {
            postpone(user, state == Bundle.STARTING ? "start" : "stop");
            return false;
        }
        if (state != Bundle.ACTIVE) {
            return true;
        }
        if (!exchanging.enter(Activity.STOPPING, user.getSymbolicName())) {
            return false;
        }
        try {
            user.stop(Bundle.STOP_TRANSIENT);
        } catch (IllegalStateException e) {
            reports.debug(user.getSymbolicName() + " was uninstalled meanwhile", e);
        } catch (BundleException e) { // the bundle is stopped all the same
            reports.problem(user.getSymbolicName() + " fails to stop for new packages: " + Sentence.of(e));
        } finally {
            if (user.getState() == Bundle.RESOLVED) {
                stopped.add(user);
            }
        }
        return true;
    }

    private void postpone(Bundle user, String activity) {
        postponed = true;
        String sentence = "packages of a jar that was replaced or removed stay in use until the " + activity + " of "
                + user.getSymbolicName() + " returns";
        if (!sentence.equals(reported)) {
            reported = sentence;
            reports.problem(sentence);
        }
    }

    private void restart(Collection<DroppedJar> jars) throws InterruptedException {
        List<Bundle> others = new ArrayList<>();
        for (Bundle bundle = stopped.poll(); bundle != null; bundle = stopped.poll()) {
            Bundle candidate = bundle;
            if (jars.stream().noneMatch(jar -> jar.stoppedForPackages(candidate))) {
                others.add(candidate);
            }
        }
        others.sort(Comparator.comparingLong(Bundle::getBundleId));
        for (Bundle bundle : others) {
            if (bundle.getState() != Bundle.UNINSTALLED) {
                Step restart = Step.start(
                        bundle.getSymbolicName(), Activity.STARTING, _ -> bundle.start(Bundle.START_TRANSIENT));
                restarts.add(restart);
                restart.await(Step.NOTICE_MILLIS);
            }
        }
        restarts.removeIf(this::isOver);
    }
}
