// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.launcher.Step.Activity;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * Jar in the deploy folder, with its bundle. Work that may block runs in a {@link Step}, one at a time. While a step
 * runs, it owns the fields that it writes, and no other work is done for this jar.
 */
final class DroppedJar {
    /** A file that is incomplete and was not written to for this long is no longer being copied. */
    private static final long UNFINISHED_MILLIS = 1000;

    /** Interval of retries after a shortage, for example of memory, whose end causes no event. */
    private static final long RETRY_MILLIS = 10_000;

    private final Path file;
    private final String name;
    private final Path copy;
    private final BundleContext context;
    private final Reports reports;

    // Owned by the folder's thread.
    private FileStamp stamp;
    private long seenAt;
    private boolean gone;
    private volatile Step step;
    private long retryAt;
    private boolean retrying;

    // Owned by the step while one runs, otherwise by the folder's thread.
    private FileStamp handled;
    private Bundle bundle;
    /**
     * Whether the bundle must be started: it has not run since it was dropped, replaced or stopped for new packages.
     */
    private boolean waiting;
    /** Whether the step installed, updated or uninstalled a bundle. */
    private boolean changed;

    private String reported = "";

    /**
     * Creates the object, which does nothing yet.
     *
     * @param file path of the jar, which may come later
     * @param scratch folder for its copy, created when it is needed
     */
    DroppedJar(Path file, Path scratch, BundleContext context, Reports reports) {
        this.file = file;
        this.name = Printable.of(file.getFileName().toString());
        this.copy = scratch.resolve(file.getFileName());
        this.context = context;
        this.reports = reports;
    }

    /** Records the current state of the file; null if it is missing. */
    void see(FileStamp now) {
        boolean same = now == null ? gone : !gone && now.equals(stamp);
        if (same) {
            return;
        }
        gone = now == null;
        if (!gone) {
            stamp = now;
            seenAt = System.nanoTime();
        }
        retrying = false;
        if (isBusy() && (gone || !step.isGivenUp())) {
            reports.problem(name + (gone ? " is gone" : " has changed") + ", but "
                    + step.activity().words() + " still runs; it is " + (gone ? "uninstalled" : "checked again")
                    + " when that returns");
            step.giveUp();
        }
    }

    boolean isBusy() {
        return step != null;
    }

    /** Interrupts the step if it can be interrupted, at the end of the gateway. */
    void giveUp() {
        Step last = step;
        if (last != null) {
            last.giveUp();
        }
    }

    boolean isGone() {
        return gone;
    }

    /** {@return whether both the file and its bundle are gone} */
    boolean isOver() {
        return gone && !isBusy() && bundle == null;
    }

    /** {@return the bundle; null before it is installed and while a step runs} */
    Bundle bundle() {
        return isBusy() ? null : bundle;
    }

    /** Marks the bundle for a restart if it was stopped because another bundle's packages were exchanged. */
    boolean stoppedForPackages(Bundle stopped) {
        if (!isBusy() && stopped.equals(bundle)) {
            waiting = true;
            return true;
        }
        return false;
    }

    /** Finishes a step that has returned and reports one that has not; returns whether a bundle has changed. */
    boolean collect() {
        if (step == null) {
            return false;
        }
        if (!step.isDone()) {
            step.report().ifPresent(reports::problem);
            return false;
        }
        Step ended = step;
        step = null;
        ended.failure().ifPresent(thrown -> failed(ended, thrown));
        boolean ending = ended.isReported();
        if (ending) {
            reports.info(name + ": " + ended.activity().words() + " has returned");
        }
        boolean result = changed || ending;
        changed = false;
        return result;
    }

    private boolean perform(Activity activity, Step.Body body) throws InterruptedException {
        step = Step.start(name, activity, body);
        step.await(Step.NOTICE_MILLIS);
        return collect();
    }

    private void failed(Step ended, Throwable thrown) {
        if (ended.isGivenUp()) {
            reports.debug(name + ": " + ended.activity().words() + " was cancelled", thrown);
            return;
        }
        boolean shortage = isShortage(thrown);
        if (shortage || gone) {
            retrying = true;
            retryAt = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS);
        } else if (ended.activity() == Activity.READING || ended.activity() == Activity.INSTALLING) {
            handled = stamp;
        }
        String reason = shortage
                ? "too little memory (" + Sentence.of(thrown) + "); it will be tried again"
                : Sentence.of(thrown) + remedy(thrown);
        report(
                switch (ended.activity()) {
                    case STARTING -> " does not start: " + reason;
                    case STOPPING -> gone ? " is gone, but its bundle does not uninstall: " + reason : refused(reason);
                    default -> refused(reason);
                });
    }

    private static boolean isShortage(Throwable thrown) {
        for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
            if (cause instanceof OutOfMemoryError) {
                return true;
            }
        }
        return false;
    }

    /** Returns a remedy for a duplicate bundle. The framework's message has name and version only. */
    private static String remedy(Throwable thrown) {
        boolean twice = thrown instanceof BundleException e && e.getType() == BundleException.DUPLICATE_BUNDLE_ERROR;
        return twice ? "; remove one of the two, or give this one another Bundle-SymbolicName or Bundle-Version" : "";
    }

    private String refused(String reason) {
        return (bundle == null ? " is not installed: " : " does not replace the one that runs: ") + reason;
    }

    private void report(String sentence) {
        if (!sentence.equals(reported)) {
            reported = sentence;
            reports.problem(name + sentence);
        }
    }

    /** {@return whether it is time for another attempt after a shortage} */
    boolean isRetryDue() {
        return retrying && System.nanoTime() - retryAt >= 0;
    }

    /** Uninstalls the bundle of a missing file. Installs or updates the bundle of a new or changed file. */
    boolean follow() throws InterruptedException {
        if (isBusy() || retrying && !isRetryDue()) {
            return false;
        }
        retrying = false;
        if (gone) {
            return bundle != null && perform(Activity.STOPPING, this::uninstall);
        }
        if (stamp.equals(handled)) {
            return false;
        }
        FileStamp now = stamp;
        long seen = seenAt;
        return perform(Activity.READING, reading -> take(reading, now, seen));
    }

    private void uninstall(Step step) throws BundleException {
        try {
            bundle.uninstall();
            reports.info(name + " is removed");
        } catch (IllegalStateException e) {
            if (bundle.getState() != Bundle.UNINSTALLED) {
                throw e;
            }
            reports.debug(name + " was uninstalled already", e);
        } finally {
            if (bundle.getState() == Bundle.UNINSTALLED) {
                bundle = null;
                handled = null; // a file of this name that appears meanwhile is a new one
            }
            changed = true;
        }
    }

    /** Checks and installs a file that is new or has changed. */
    private void take(Step step, FileStamp now, long seen) throws IOException, BundleException {
        try {
            Optional<JarFlaw> flaw = now.regular() ? JarFlaw.of(file) : Optional.of(JarFlaw.NO_FILE);
            if (step.isGivenUp()) {
                return; // the flaw may be the result of an interrupted read
            }
            if (flaw.isPresent()) {
                if (!flaw.get().maybeUnfinished() || isSettled(now, seen)) {
                    handled = now;
                    if (now.regular()) {
                        reports.problem(name + refused(flaw.get().sentence()));
                    } else {
                        report(refused(flaw.get().sentence())); // a folder changes with each of its files
                    }
                }
                return;
            }
            Files.createDirectories(copy.getParent());
            Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
            if (FileStamp.of(file).equals(now)) { // otherwise the file has changed since it was copied
                run(step, now);
            }
        } catch (NoSuchFileException e) {
            reports.debug(name + " was removed while it was checked", e);
        } finally {
            delete();
        }
    }

    private static boolean isSettled(FileStamp now, long seen) {
        long age = System.currentTimeMillis() - now.changed().toMillis();
        return Math.max(age, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - seen)) > UNFINISHED_MILLIS;
    }

    private void run(Step step, FileStamp now) throws IOException, BundleException {
        boolean replaces = bundle != null && bundle.getState() != Bundle.UNINSTALLED;
        if (replaces) {
            if (!step.enter(Activity.STOPPING)) {
                return;
            }
            changed = true; // bundles that were stopped for the replacement are started again in any case
            waiting = true;
            stop();
        }
        if (!step.enter(Activity.INSTALLING)) {
            return;
        }
        try (InputStream in = Files.newInputStream(copy)) {
            if (replaces) {
                bundle.update(in);
                reports.info(name + " is replaced");
            } else {
                bundle = context.installBundle(file.toUri().toString(), in);
            }
        }
        handled = now;
        changed = true;
        waiting = true;
        reported = "";
    }

    /**
     * Stops the old bundle first. Otherwise the framework would start the new one after the update and report in its
     * own words.
     */
    private void stop() {
        try {
            bundle.stop(Bundle.STOP_TRANSIENT);
        } catch (BundleException e) {
            reports.problem(name + " is stopped, but its stop failed: " + Sentence.of(e));
        }
    }

    /** Deletes the copy if possible; otherwise the end of the gateway deletes it. */
    private void delete() {
        try {
            Files.deleteIfExists(copy);
        } catch (IOException e) {
            reports.debug(copy + " is left for the end of the gateway to delete", e);
        }
    }

    /** Starts the bundle if it was never started or had lost a requirement. A bundle that was stopped stays stopped. */
    boolean start(FrameworkWiring wiring) throws InterruptedException {
        return !isBusy() && !gone && bundle != null && isWanted() && perform(Activity.STARTING, _ -> startNow(wiring));
    }

    private boolean isWanted() {
        return switch (bundle.getState()) {
            case Bundle.INSTALLED ->
                waiting || bundle.adapt(BundleStartLevel.class).isPersistentlyStarted();
            case Bundle.RESOLVED -> waiting;
            default -> false;
        };
    }

    private void startNow(FrameworkWiring wiring) throws BundleException {
        waiting = true;
        try {
            if (bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null) {
                bundle.start();
                reports.info(name + " runs: " + bundle.getSymbolicName() + " " + bundle.getVersion());
            }
            waiting = false;
            reported = "";
        } catch (BundleException e) {
            List<String> missing = Missing.from(bundle, wiring);
            if (missing.isEmpty()) {
                throw e;
            }
            report(" does not start: it lacks " + String.join(", ", missing));
        }
    }
}
