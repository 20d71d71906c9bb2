// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Folder in which the framework of one process keeps its state. Each process has a folder of its own: two gateways may
 * run from one home at once, and a gateway always starts from the current jars. The folder is deleted at the end. The
 * next start deletes the folder of a killed process.
 *
 * <p>The process holds a lock on the file {@value #LOCK} in its folder. The kernel releases that lock when the process
 * ends, in any PID namespace. So a lock that can be taken proves that the folder is unused; see {@link LeftoverCaches}.
 */
final class BundleCache implements AutoCloseable {
    static final String PREFIX = "dmabuf-gateway-";
    static final String LOCK = "gateway.lock";

    private static final String STATE = "state";

    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_FOLDER =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_FILE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final Set<OpenOption> NEW_FILE =
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);

    /** Number of attempts: another gateway that starts at the same moment may remove a folder that has no lock yet. */
    private static final int ATTEMPTS = 100;

    /** More than the framework writes while it starts. */
    private static final int TRIAL_BYTES = 1 << 20;

    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    private final Path folder;
    private final FileChannel lock;
    private final LeftoverCaches leftovers;

    private BundleCache(Path folder, FileChannel lock, LeftoverCaches leftovers) {
        this.folder = folder;
        this.lock = lock;
        this.leftovers = leftovers;
    }

    /**
     * Creates this process's folder and deletes unused folders of other processes.
     *
     * @param preferred parent folder; created if it is missing
     * @param otherwise parent folder if {@code preferred} is not writable, or if other users may write to it
     */
    static BundleCache create(Path preferred, Path otherwise) throws Failure {
        IOException notThere;
        try {
            Files.createDirectories(preferred, PRIVATE_FOLDER);
            return createIn(preferred);
        } catch (Shared e) {
            notThere = e;
            LogLine.write(LOG, Level.WARN, "the bundle cache is not in " + preferred + ": " + Sentence.of(e));
        } catch (IOException e) {
            notThere = e;
        }
        try {
            return createIn(otherwise);
        } catch (IOException e) {
            e.addSuppressed(notThere);
            throw Failure.of(
                    "creating the bundle cache failed in " + preferred + " (" + Sentence.of(notThere) + ") and in "
                            + otherwise + " (" + Sentence.of(e)
                            + "); make one of them writable, with 1 MiB of free space",
                    e);
        }
    }

    private static BundleCache createIn(Path parent) throws IOException {
        requireUnshared(parent);
        LeftoverCaches leftovers = new LeftoverCaches(parent, FolderAccess.ownUser());
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            Path top = Files.createTempDirectory(
                    parent, PREFIX + ProcessHandle.current().pid() + "-", PRIVATE_FOLDER);
            FileChannel lock = lock(top);
            if (lock != null) {
                return finish(top, lock, leftovers);
            }
        }
        throw new FileSystemException(parent.toString(), null, "each new folder in it disappears immediately");
    }

    private static BundleCache finish(Path top, FileChannel lock, LeftoverCaches leftovers) throws IOException {
        BundleCache cache = new BundleCache(top.resolve(STATE), lock, leftovers);
        boolean made = false;
        try {
            Files.createDirectory(cache.folder, PRIVATE_FOLDER);
            leftovers.deleteExcept(top); // they may have filled the file system
            requireSpace(top.resolve("trial"));
            made = true;
        } finally {
            if (!made) {
                cache.close();
            }
        }
        return cache;
    }

    /** A full file system still has space for folders. The framework would then fail at each of its files. */
    private static void requireSpace(Path trial) throws IOException {
        try {
            Files.write(trial, new byte[TRIAL_BYTES], StandardOpenOption.CREATE_NEW);
        } catch (IOException e) {
            throw new FileSystemException(trial.toString(), null, "writing 1 MiB failed: " + Sentence.of(e));
        }
        Files.delete(trial);
    }

    /** Another user who may rename entries of the parent could replace the folder by one of their own. */
    private static void requireUnshared(Path parent) throws IOException {
        FolderAccess access = FolderAccess.of(parent);
        if (access.isWritableByOthers() && !access.isSticky()) {
            throw new Shared(parent, "other users may rename files in it; run chmod go-w on it");
        }
        if (access.isForeign()) {
            throw new Shared(
                    parent, "it belongs to another user, " + access.owner().getName());
        }
    }

    /** {@return the held lock; null if another gateway removed the new folder as a leftover} */
    private static FileChannel lock(Path top) throws IOException {
        FileChannel channel;
        try {
            channel = FileChannel.open(top.resolve(LOCK), NEW_FILE, PRIVATE_FILE);
        } catch (NoSuchFileException e) {
            return null;
        }
        boolean locked = false;
        try {
            locked = channel.tryLock() != null && Files.exists(top.resolve(LOCK), LinkOption.NOFOLLOW_LINKS);
        } finally {
            if (!locked) {
                channel.close();
            }
        }
        return locked ? channel : null;
    }

    Path folder() {
        return folder;
    }

    /**
     * Deletes the folder with everything in it. The next start deletes files that remain. Closing twice does nothing.
     */
    @Override
    public void close() {
        Path top = folder.getParent();
        try (lock) {
            if (lock.isOpen()) {
                leftovers.delete(top);
            }
        } catch (IOException e) {
            LogLine.write(LOG, Level.DEBUG, top + " is left for the next start to delete", e);
        }
    }

    /** A folder that other users may change. */
    private static final class Shared extends FileSystemException {
        private static final long serialVersionUID = 1L;

        Shared(Path folder, String reason) {
            super(folder.toString(), null, reason);
        }
    }
}
