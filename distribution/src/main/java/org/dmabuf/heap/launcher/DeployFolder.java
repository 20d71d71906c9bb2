// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
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
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.SynchronousBundleListener;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * Folder whose jars run while they are in it. A new jar is installed and started, a replaced jar is updated, and a
 * removed jar is uninstalled.
 *
 * <p>Felix File Install offers the same, but its source shows two faults. It logs nothing about a jar that is not a
 * bundle. It uninstalls a running bundle if its replacement cannot be read, for example while it is being copied. Here
 * a jar is installed only when it is complete, and until then the old bundle keeps running. If a jar does not run, the
 * log reports it once, with the file and the missing requirements. The folder tries it again when the framework has
 * changed.
 *
 * <p>Each jar is handled in steps of its own ({@link DroppedJar}). A step that blocks is reported and does not delay
 * the other jars. When it returns, its jar is checked again.
 */
final class DeployFolder implements AutoCloseable {
    /** Interval of listings where the kernel reports no changes, as on network file systems. */
    private static final long LIST_MILLIS = 500;

    /** Time that the start of the gateway waits for the jars in the folder. */
    private static final long OPEN_MILLIS = 20_000;

    /** Time that the end of the gateway waits for a bundle whose start has not returned. */
    private static final long CLOSE_MILLIS = 5000;

    private final Path folder;
    private final Path scratch;
    private final Reports reports;
    private final StrayEntries strays;
    private final Map<Path, DroppedJar> known = new ConcurrentSkipListMap<>();
    private final CountDownLatch tried = new CountDownLatch(1);
    private final CountDownLatch closed = new CountDownLatch(1);
    /** Whether another part of the gateway has changed bundles, which may have resolved a missing requirement. */
    private volatile boolean stirred;

    private BundleContext context;
    private FrameworkWiring wiring;
    private PackageRefresh refresh;
    private volatile Thread thread;
    private volatile WatchService watch;
    private WatchKey watched;
    private String lastProblem = "";
    /** Whether bundles have changed and the consequences are still to be handled. */
    private boolean changed;

    /**
     * Creates the object, which does not look at the folder yet.
     *
     * @param folder folder for jars; it may be missing and may be created later
     * @param scratch folder for copies, created when it is needed
     * @param reports receives a sentence for each jar that does not run
     */
    DeployFolder(Path folder, Path scratch, Reports reports) {
        this.folder = folder;
        this.scratch = scratch;
        this.reports = reports;
        this.strays = new StrayEntries(reports);
    }

    /**
     * Runs the jars in the folder, and from now on each new jar. When it returns, every jar that was there has been
     * tried, except for jars that block.
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
                reports.problem("the gateway continues before every jar in " + folder
                        + " was tried, because some of them block");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops the checks. The bundles stay. */
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
                register(); // registered before the listing, so that no change is missed
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

    /** Repeats work after a failure, since a shortage of memory passes. */
    private boolean goOnAfter(Throwable thrown) {
        changed = true;
        try {
            if (context.getBundle().getState() != Bundle.ACTIVE) {
                reports.debug("the framework has stopped under the deploy folder", thrown);
                return false;
            }
            complain("checking " + folder + " failed and is repeated: " + Sentence.of(thrown));
            return !closed.await(LIST_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            return false;
        } catch (IllegalStateException e) {
            return false; // the framework has stopped
        } catch (Throwable e) {
            return true;
        }
    }

    /** Returns when the folder may have changed; true at the end of the checks. */
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

    /** Registers the watch again if the folder was removed and created. */
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

    /** Applies the state of the files to the bundles. */
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
        now.forEach((file, stamp) -> known.computeIfAbsent(file, _ -> new DroppedJar(file, scratch, context, reports))
                .see(stamp));
        for (DroppedJar jar : known.values()) { // removed files first: another jar may take over their bundle's name
            changed |= jar.isGone() && jar.follow();
        }
        known.values().removeIf(DroppedJar::isOver);
        for (DroppedJar jar : known.values()) {
            changed |= !jar.isGone() && jar.follow();
        }
    }

    private Optional<Map<Path, FileStamp>> list() {
        Map<Path, FileStamp> files = new TreeMap<>();
        Set<Path> others = new TreeSet<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, "[!.]*")) {
            for (Path entry : entries) {
                if (!StrayEntries.isJar(entry) || !addStamp(entry, files)) {
                    others.add(entry);
                }
            }
        } catch (NoSuchFileException e) {
            return Optional.of(Map.of()); // a missing folder counts as empty
        } catch (NotDirectoryException e) {
            return complain(folder + " is not a folder, so jars cannot be deployed; remove that file");
        } catch (IOException | DirectoryIteratorException e) {
            return complain("listing " + folder + " failed, its bundles stay as they are: " + Sentence.of(e));
        }
        lastProblem = "";
        strays.see(others);
        return Optional.of(files);
    }

    /** {@return false for a jar that was removed meanwhile, and for a link without a target or into a loop} */
    private boolean addStamp(Path jar, Map<Path, FileStamp> files) throws IOException {
        try {
            files.put(jar, FileStamp.of(jar));
            return true;
        } catch (FileSystemException e) {
            reports.debug(jar + " was not found while the folder was listed", e);
            return false;
        }
    }

    private <T> Optional<T> complain(String problem) {
        if (!problem.equals(lastProblem)) {
            reports.problem(problem);
        }
        lastProblem = problem;
        return Optional.empty();
    }

    /** Starts bundles that were never started or had lost a requirement. A bundle that was stopped stays stopped. */
    private void start() throws InterruptedException {
        List<Bundle> unresolved = known.values().stream()
                .map(DroppedJar::bundle)
                .filter(Objects::nonNull)
                .filter(bundle -> bundle.getState() == Bundle.INSTALLED)
                .toList();
        if (!unresolved.isEmpty()) { // together, so that they can be wired to each other
            refresh.resolve(unresolved);
        }
        for (DroppedJar jar : known.values()) {
            changed |= jar.start(wiring);
        }
    }
}
