// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.FileTime;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.SynchronousBundleListener;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.framework.wiring.FrameworkWiring;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder whose jars run while they are in it: one that is dropped in is installed and started, one that is replaced
 * is updated, one that is removed is uninstalled.
 *
 * <p>Felix File Install does this too; by its source it says nothing of a jar that is no bundle, and uninstalls a
 * running bundle when its replacement does not read as one, as while it is being copied. Here a jar is looked at only
 * once it is whole, and until then what runs goes on. What does not run is told once, in a sentence with the file and
 * what it lacks, and tried again whenever something else in the framework has changed.
 */
final class DeployFolder implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** The kernel reports changes at once, except on a network's file systems: those are listed this often. */
    private static final long LIST_MILLIS = 500;

    /** A file that is not whole and was not written to for as long as this is no longer being copied. */
    private static final long UNFINISHED_MILLIS = 1000;

    /** How long the end of the gateway waits for a bundle that is being started. */
    private static final long CLOSE_MILLIS = 5000;

    private final Path folder;
    private final Path scratch;
    private final Consumer<String> problems;
    private final Map<Path, Dropped> known = new TreeMap<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    /** Somebody else changed bundles: what waits may find what it lacks. */
    private volatile boolean stirred;

    private BundleContext context;
    private FrameworkWiring wiring;
    private volatile Thread thread;
    private volatile WatchService watch;
    private WatchKey watched;
    private String lastProblem = "";

    /** A state of a file; the change time, unlike the time of modification, cannot be set by who copies. */
    private record Stamp(long size, FileTime changed, Object inode) {
        static Stamp of(Path file) throws IOException {
            Map<String, Object> attributes = Files.readAttributes(file, "unix:size,ctime,ino");
            return new Stamp(
                    (Long) attributes.get("size"), (FileTime) attributes.get("ctime"), attributes.get("ino"));
        }
    }

    /** What is known of one file. */
    private static final class Dropped {
        private Stamp stamp;
        private long seenAt;
        private boolean handled;
        private Bundle bundle;
        /** To be started: it never ran since it was dropped or replaced. */
        private boolean waiting;

        private String told = "";
    }

    /**
     * Does nothing yet.
     *
     * @param folder where jars are dropped; it may be missing, and may come later
     * @param scratch a folder for copies, made when needed
     * @param problems gets a sentence for each jar that does not run
     */
    DeployFolder(Path folder, Path scratch, Consumer<String> problems) {
        this.folder = folder;
        this.scratch = scratch;
        this.problems = problems;
    }

    /** Runs what is in the folder, and from now on what comes. When it returns, the former has been tried. */
    void open(BundleContext of) {
        context = of;
        wiring = of.getBundle().adapt(FrameworkWiring.class);
        context.addBundleListener((SynchronousBundleListener) this::bundleChanged);
        try {
            watch = folder.getFileSystem().newWatchService();
        } catch (IOException e) {
            LOG.info("changes in {} are noticed every {} ms: {}", folder, LIST_MILLIS, Sentence.of(e));
        }
        register(); // before the first look, so that nothing falls between the two
        scan();
        thread = Thread.ofPlatform().daemon().name("deploy folder").unstarted(this::follow);
        thread.start();
    }

    /** Stops looking. The bundles stay. */
    @Override
    public void close() {
        closed.countDown();
        try {
            if (watch != null) {
                watch.close();
            }
            if (thread != null) {
                thread.join(CLOSE_MILLIS);
            }
        } catch (IOException e) {
            LOG.debug("closing the watch on {}", folder, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void follow() {
        try {
            while (!await()) {
                register();
                scan();
            }
        } catch (InterruptedException | ClosedWatchServiceException e) {
            LOG.debug("{} is no longer watched", folder);
        } catch (IllegalStateException e) {
            LOG.debug("the framework has stopped under the deploy folder", e);
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
            LOG.debug("{} is not watched, only listed", folder, e);
        }
    }

    private void bundleChanged(BundleEvent event) {
        int interesting = BundleEvent.INSTALLED | BundleEvent.RESOLVED | BundleEvent.UPDATED | BundleEvent.UNINSTALLED;
        if ((event.getType() & interesting) != 0 && !Thread.holdsLock(this)) {
            stirred = true;
        }
    }

    /** Brings the bundles into line with the files. */
    synchronized void scan() {
        Optional<Map<Path, Stamp>> now = list();
        if (now.isEmpty()) {
            return;
        }
        boolean changed = stirred;
        stirred = false;
        for (Path gone : known.keySet().stream().filter(file -> !now.get().containsKey(file)).toList()) {
            changed |= remove(gone, known.remove(gone));
        }
        for (Map.Entry<Path, Stamp> file : now.get().entrySet()) {
            Dropped dropped = known.computeIfAbsent(file.getKey(), _ -> new Dropped());
            if (!file.getValue().equals(dropped.stamp)) {
                dropped.stamp = file.getValue();
                dropped.seenAt = System.nanoTime();
                dropped.handled = false;
            }
            if (!dropped.handled) {
                changed |= take(file.getKey(), dropped);
            }
        }
        if (changed) {
            refresh();
            start();
        }
    }

    private Optional<Map<Path, Stamp>> list() {
        Map<Path, Stamp> files = new TreeMap<>();
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

    private static void addStamp(Path jar, Map<Path, Stamp> files) throws IOException {
        try {
            if (Files.isRegularFile(jar)) {
                files.put(jar, Stamp.of(jar));
            }
        } catch (NoSuchFileException e) {
            LOG.debug("{} went while the folder was listed", jar);
        }
    }

    private <T> Optional<T> complain(String problem) {
        if (!problem.equals(lastProblem)) {
            problems.accept(problem);
        }
        lastProblem = problem;
        return Optional.empty();
    }

    /** Looks at a file that is new or has changed; returns whether a bundle has. */
    private boolean take(Path jar, Dropped dropped) {
        Path copy = scratch.resolve(jar.getFileName());
        try {
            Optional<JarFlaw> flaw = JarFlaw.of(jar);
            if (flaw.isPresent()) {
                if (!flaw.get().maybeUnfinished() || isSettled(dropped)) {
                    dropped.handled = true;
                    refuse(jar, dropped, flaw.get().sentence());
                }
                return false;
            }
            Files.createDirectories(scratch);
            Files.copy(jar, copy, StandardCopyOption.REPLACE_EXISTING);
            if (!Stamp.of(jar).equals(dropped.stamp)) {
                return false; // it is being written to: what was copied is not what was looked at
            }
            dropped.handled = true;
            return run(jar, copy, dropped);
        } catch (NoSuchFileException e) {
            return false; // gone again, which the next look sees
        } catch (IOException e) {
            dropped.handled = true;
            refuse(jar, dropped, Sentence.of(e));
            return false;
        } finally {
            delete(copy);
        }
    }

    private static boolean isSettled(Dropped dropped) {
        long age = System.currentTimeMillis() - dropped.stamp.changed().toMillis();
        long seen = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - dropped.seenAt);
        return Math.max(age, seen) > UNFINISHED_MILLIS;
    }

    private boolean run(Path jar, Path copy, Dropped dropped) throws IOException {
        Bundle old = dropped.bundle;
        try (InputStream in = Files.newInputStream(copy)) {
            if (old == null || old.getState() == Bundle.UNINSTALLED) {
                dropped.bundle = context.installBundle(jar.toUri().toString(), in);
            } else {
                old.stop(Bundle.STOP_TRANSIENT); // else the framework starts the new one, and reports in its own words
                dropped.waiting = true;
                old.update(in);
                LOG.info("{} is replaced", jar.getFileName());
            }
        } catch (BundleException e) {
            refuse(jar, dropped, Sentence.of(e) + remedy(e));
            return dropped.waiting; // what was stopped for its replacement is started again
        }
        dropped.waiting = true;
        dropped.told = "";
        return true;
    }

    /** The framework names bundle and version that there are already, and not whose they are or what to do. */
    private static String remedy(BundleException e) {
        if (e.getType() != BundleException.DUPLICATE_BUNDLE_ERROR) {
            return "";
        }
        return "; remove one of the two, or give this one another Bundle-SymbolicName or Bundle-Version";
    }

    private void refuse(Path jar, Dropped dropped, String reason) {
        problems.accept(jar.getFileName()
                + (dropped.bundle == null ? " is not installed: " : " does not replace the one that runs: ")
                + reason);
    }

    private boolean remove(Path jar, Dropped dropped) {
        if (dropped.bundle == null) {
            return false;
        }
        try {
            dropped.bundle.uninstall();
            LOG.info("{} is removed", jar.getFileName());
        } catch (BundleException e) {
            problems.accept(jar.getFileName() + " is gone, but its bundle does not uninstall: " + Sentence.of(e));
        } catch (IllegalStateException e) {
            LOG.debug("{} was uninstalled by somebody else", jar, e);
        }
        return true;
    }

    /** Gives those that use packages of a bundle that was replaced or removed the new ones; nobody else is touched. */
    private void refresh() {
        Collection<Bundle> outdated = wiring.getRemovalPendingBundles();
        if (outdated.isEmpty()) {
            return;
        }
        CountDownLatch done = new CountDownLatch(1);
        wiring.refreshBundles(outdated, _ -> done.countDown());
        try {
            done.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Starts what was never started and what lost something it needs; a bundle that somebody stopped stays stopped. */
    private void start() {
        List<Bundle> unresolved = known.values().stream()
                .map(dropped -> dropped.bundle)
                .filter(Objects::nonNull)
                .filter(bundle -> bundle.getState() == Bundle.INSTALLED)
                .toList();
        if (!unresolved.isEmpty()) {
            wiring.resolveBundles(unresolved); // together, so that they find each other
        }
        known.forEach((jar, dropped) -> {
            if (dropped.bundle != null && isWanted(dropped)) {
                start(jar, dropped);
            }
        });
    }

    private static boolean isWanted(Dropped dropped) {
        return switch (dropped.bundle.getState()) {
            case Bundle.INSTALLED ->
                dropped.waiting || dropped.bundle.adapt(BundleStartLevel.class).isPersistentlyStarted();
            case Bundle.RESOLVED -> dropped.waiting;
            default -> false;
        };
    }

    private void start(Path jar, Dropped dropped) {
        Bundle bundle = dropped.bundle;
        dropped.waiting = true;
        try {
            if (bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null) {
                bundle.start();
                LOG.info("{} runs: {} {}", jar.getFileName(), bundle.getSymbolicName(), bundle.getVersion());
            }
            dropped.waiting = false;
            dropped.told = "";
        } catch (BundleException e) {
            List<String> missing = Missing.from(bundle, wiring);
            String reason = missing.isEmpty() ? Sentence.of(e) : "it lacks " + String.join(", ", missing);
            if (!reason.equals(dropped.told)) {
                dropped.told = reason;
                problems.accept(jar.getFileName() + " does not start: " + reason);
            }
        }
    }

    private static void delete(Path copy) {
        try {
            Files.deleteIfExists(copy);
        } catch (IOException e) {
            LOG.debug("{} is left for the end of the gateway to delete", copy, e);
        }
    }
}
