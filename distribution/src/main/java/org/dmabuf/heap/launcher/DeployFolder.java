// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.SynchronousBundleListener;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * A folder whose jars run while they are in it: one that is dropped in is installed and started, one that is replaced
 * is updated, one that is removed is uninstalled.
 *
 * <p>Felix File Install does this too; by its source it says nothing of a jar that is no bundle, and uninstalls a
 * running bundle when its replacement does not read as one, as while it is being copied. Here a jar is looked at only
 * once it is whole, and until then the old bundle keeps running. A jar that does not run is reported once, in a
 * sentence with the file and what it lacks, and tried again whenever something else in the framework has changed.
 *
 * <p>Each jar is handled by steps of its own ({@link DroppedJar}). A step that blocks is reported and left behind: the
 * other jars go on, and its jar is looked at again when it returns.
 */
final class DeployFolder implements AutoCloseable {
    /** The kernel reports changes at once, except on a network's file systems: those are listed this often. */
    private static final long LIST_MILLIS = 500;

    /** How long the start of the gateway waits for the jars that are there. */
    private static final long OPEN_MILLIS = 20_000;

    /** How long the end of the gateway waits for a bundle that is being started. */
    private static final long CLOSE_MILLIS = 5000;

    private final Path folder;
    private final Path scratch;
    private final Reports reports;
    private final Map<Path, DroppedJar> known = new ConcurrentSkipListMap<>();
    private final CountDownLatch tried = new CountDownLatch(1);
    private final CountDownLatch closed = new CountDownLatch(1);
    /** Another part of the gateway changed bundles: what waits may find what it lacks. */
    private volatile boolean stirred;

    private BundleContext context;
    private FrameworkWiring wiring;
    private PackageRefresh refresh;
    private volatile Thread thread;
    private volatile WatchService watch;
    private WatchKey watched;
    private String lastProblem = "";
    /** Bundles have changed, and what follows from that is not done. */
    private boolean changed;

    /**
     * Does nothing yet.
     *
     * @param folder where jars are dropped; it may be missing, and may come later
     * @param scratch a folder for copies, made when needed
     * @param reports gets a sentence for each jar that does not run
     */
    DeployFolder(Path folder, Path scratch, Reports reports) {
        this.folder = folder;
        this.scratch = scratch;
        this.reports = reports;
    }

    /**
     * Runs what is in the folder, and from now on what comes. When it returns, the former has been tried, except for
     * jars that block.
     */
    void open(BundleContext of) {
        context = of;
        wiring = of.getBundle().adapt(FrameworkWiring.class);
        refresh = new PackageRefresh(wiring, reports);
        context.addBundleListener((SynchronousBundleListener) this::bundleChanged);
        try {
            watch = folder.getFileSystem().newWatchService();
        } catch (IOException e) {
            reports.info("changes in " + folder + " are noticed every " + LIST_MILLIS + " ms: " + Sentence.of(e));
        }
        thread = Thread.ofPlatform().daemon().name("deploy folder").unstarted(this::follow);
        thread.start();
        try {
            if (!tried.await(OPEN_MILLIS, TimeUnit.MILLISECONDS)) {
                reports.problem("the gateway comes up before every jar in " + folder + " was tried: jars there block");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops looking. The bundles stay. */
    @Override
    public void close() {
        closed.countDown();
        known.values().forEach(DroppedJar::giveUp);
        try {
            if (watch != null) {
                watch.close();
            }
            if (thread != null) {
                thread.join(CLOSE_MILLIS);
            }
        } catch (IOException e) {
            reports.debug("closing the watch on " + folder, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void follow() {
        boolean more = true;
        while (more) {
            try {
                register(); // before the look, so that nothing falls between the two
                scan();
                tried.countDown();
                more = !await();
            } catch (InterruptedException | ClosedWatchServiceException e) {
                reports.debug(folder + " is no longer watched", e);
                more = false;
            } catch (Throwable e) {
                more = goOnAfter(e);
            }
        }
        tried.countDown();
    }

    /** A shortage of memory passes; what was not done is done at a later look. */
    private boolean goOnAfter(Throwable thrown) {
        changed = true;
        try {
            if (context.getBundle().getState() != Bundle.ACTIVE) {
                reports.debug("the framework has stopped under the deploy folder", thrown);
                return false;
            }
            complain("looking after " + folder + " failed and is tried again: " + Sentence.of(thrown));
            return !closed.await(LIST_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            return false;
        } catch (IllegalStateException e) {
            return false; // the framework has stopped
        } catch (Throwable e) {
            return true;
        }
    }

    /** Returns when something may have changed; true at the end. */
    private boolean await() throws InterruptedException {
        if (watch == null) {
            return closed.await(LIST_MILLIS, TimeUnit.MILLISECONDS);
        }
        WatchKey key = watch.poll(LIST_MILLIS, TimeUnit.MILLISECONDS);
        if (key != null) {
            key.pollEvents();
            key.reset();
        }
        return closed.getCount() == 0;
    }

    /** The folder may come, go and come again. */
    private void register() {
        if (watch == null || (watched != null && watched.isValid())) {
            return;
        }
        try {
            watched = folder.register(
                    watch,
                    StandardWatchEventKinds.ENTRY_CREATE,
                    StandardWatchEventKinds.ENTRY_MODIFY,
                    StandardWatchEventKinds.ENTRY_DELETE);
        } catch (IOException e) {
            reports.debug(folder + " is not watched, only listed", e);
        }
    }

    private void bundleChanged(BundleEvent event) {
        int interesting = BundleEvent.INSTALLED | BundleEvent.RESOLVED | BundleEvent.UPDATED | BundleEvent.UNINSTALLED;
        if ((event.getType() & interesting) != 0 && !Step.isCurrentThread()) {
            stirred = true;
        }
    }

    /** Brings the bundles into line with the files. */
    private void scan() throws InterruptedException {
        reports.flush();
        changed |= stirred;
        stirred = false;
        for (DroppedJar jar : known.values()) {
            changed |= jar.collect() | jar.isRetryDue();
        }
        changed |= refresh.collect();
        Optional<Map<Path, FileStamp>> now = list();
        if (now.isPresent()) {
            follow(now.get());
        }
        if (changed) {
            changed = false;
            refresh.run(known.values());
            start();
        }
    }

    private void follow(Map<Path, FileStamp> now) throws InterruptedException {
        known.forEach((file, jar) -> jar.see(now.get(file)));
        now.forEach((file, stamp) ->
                known.computeIfAbsent(file, _ -> new DroppedJar(file, scratch, context, reports)).see(stamp));
        for (DroppedJar jar : known.values()) { // those that are gone come first: another may take their name
            changed |= jar.isGone() && jar.follow();
        }
        known.values().removeIf(DroppedJar::isOver);
        for (DroppedJar jar : known.values()) {
            changed |= !jar.isGone() && jar.follow();
        }
    }

    private Optional<Map<Path, FileStamp>> list() {
        Map<Path, FileStamp> files = new TreeMap<>();
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(folder, "[!.]*.jar")) {
            for (Path jar : jars) {
                addStamp(jar, files);
            }
        } catch (NoSuchFileException e) {
            return Optional.of(Map.of()); // no folder is as good as an empty one
        } catch (NotDirectoryException e) {
            return complain(folder + " is no folder: no bundle can be dropped in; remove that file");
        } catch (IOException | DirectoryIteratorException e) {
            return complain("cannot list " + folder + ", its bundles stay as they are: " + Sentence.of(e));
        }
        lastProblem = "";
        return Optional.of(files);
    }

    private void addStamp(Path jar, Map<Path, FileStamp> files) throws IOException {
        try {
            files.put(jar, FileStamp.of(jar));
        } catch (NoSuchFileException e) {
            reports.debug(jar + " went while the folder was listed", e);
        }
    }

    private <T> Optional<T> complain(String problem) {
        if (!problem.equals(lastProblem)) {
            reports.problem(problem);
        }
        lastProblem = problem;
        return Optional.empty();
    }

    /** Starts what was never started and what lost something it needs; a bundle that was stopped stays stopped. */
    private void start() throws InterruptedException {
        List<Bundle> unresolved = known.values().stream()
                .map(DroppedJar::bundle)
                .filter(Objects::nonNull)
                .filter(bundle -> bundle.getState() == Bundle.INSTALLED)
                .toList();
        if (!unresolved.isEmpty()) { // together, so that they find each other
            refresh.resolve(unresolved);
        }
        for (DroppedJar jar : known.values()) {
            changed |= jar.start(wiring);
        }
    }
}
