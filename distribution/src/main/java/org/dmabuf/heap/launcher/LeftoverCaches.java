// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Deletion of cache folders that no gateway uses.
 *
 * <p>A folder is deleted when it belongs to this process's user, only that user may write to it, and its lock could be
 * taken. Gateways before the lock file {@value BundleCache#LOCK} had only the framework's, {@value #FRAMEWORK_LOCK}:
 * every lock file that is there must be free, and one must be there. An empty folder without a lock is removed; a
 * gateway that has just made it makes another one. All else is left.
 *
 * <p>Every step goes through an open directory and follows no link, so nothing outside of the folder is reached.
 */
final class LeftoverCaches {
    private static final String FRAMEWORK_LOCK = "cache.lock";
    private static final List<String> LOCKS = List.of(BundleCache.LOCK, FRAMEWORK_LOCK);
    private static final Pattern NAME = Pattern.compile(Pattern.quote(BundleCache.PREFIX) + "\\d+-\\d+");
    private static final Set<OpenOption> TO_LOCK =
            Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);

    /** Each level takes a descriptor while what is below it is deleted. */
    private static final int DEPTH = 200;

    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    private final Path parent;
    private final UserPrincipal owner;

    /**
     * Does nothing yet.
     *
     * @param parent the folder with the caches; no other user may rename what is {@code owner}'s in it
     * @param owner the user of this process
     */
    LeftoverCaches(Path parent, UserPrincipal owner) {
        this.parent = parent;
        this.owner = owner;
    }

    /** Deletes all that are unused; what cannot be deleted is no reason not to start. */
    void deleteExcept(Path used) {
        try (SecureDirectoryStream<Path> caches = open(parent)) {
            for (Path name : names(caches)) {
                if (NAME.matcher(name.toString()).matches() && !name.equals(used.getFileName())) {
                    deleteUnused(caches, name);
                }
            }
        } catch (IOException e) {
            LogLine.write(LOG, Level.DEBUG, "leftovers in " + parent + " are not deleted", e);
        }
    }

    /** Deletes a folder whose lock this process holds. */
    void delete(Path held) throws IOException {
        try (SecureDirectoryStream<Path> caches = open(parent)) {
            Path name = held.getFileName();
            if (isOurs(caches, name)) {
                try (SecureDirectoryStream<Path> cache = caches.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
                    empty(cache);
                }
                caches.deleteDirectory(name);
            }
        }
    }

    private static SecureDirectoryStream<Path> open(Path folder) throws IOException {
        DirectoryStream<Path> stream = Files.newDirectoryStream(folder);
        if (stream instanceof SecureDirectoryStream<Path> secure) {
            return secure;
        }
        stream.close();
        throw new FileSystemException(folder.toString(), null, "its file system opens no file by its folder");
    }

    private void deleteUnused(SecureDirectoryStream<Path> caches, Path name) {
        try {
            if (!isOurs(caches, name)) {
                return;
            }
            try (SecureDirectoryStream<Path> cache = caches.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
                if (!isOurs(cache.getFileAttributeView(PosixFileAttributeView.class).readAttributes())
                        || !emptyIfUnused(cache)) {
                    return;
                }
            }
            caches.deleteDirectory(name);
        } catch (IOException e) {
            LogLine.write(LOG, Level.DEBUG, parent.resolve(name) + " is not deleted", e);
        }
    }

    private boolean isOurs(SecureDirectoryStream<Path> folder, Path name) throws IOException {
        return isOurs(attributes(folder, name));
    }

    private boolean isOurs(PosixFileAttributes attributes) {
        Set<PosixFilePermission> permissions = attributes.permissions();
        return attributes.isDirectory()
                && attributes.owner().equals(owner)
                && !permissions.contains(PosixFilePermission.GROUP_WRITE)
                && !permissions.contains(PosixFilePermission.OTHERS_WRITE);
    }

    /** {@return whether the folder is empty now; false when a process may use it} */
    private static boolean emptyIfUnused(SecureDirectoryStream<Path> cache) throws IOException {
        List<FileChannel> locked = new ArrayList<>();
        try {
            for (String lock : LOCKS) {
                if (!lock(cache, Path.of(lock), locked)) {
                    return false;
                }
            }
            if (!locked.isEmpty()) {
                empty(cache);
                return true;
            }
        } finally {
            for (FileChannel channel : locked) {
                channel.close();
            }
        }
        return names(cache).isEmpty();
    }

    /** {@return false when the lock is held, or is something that is no lock file} */
    private static boolean lock(SecureDirectoryStream<Path> cache, Path name, List<FileChannel> locked)
            throws IOException {
        try {
            if (!attributes(cache, name).isRegularFile()) {
                return false; // not opened: opening a FIFO would block
            }
        } catch (NoSuchFileException e) {
            return true;
        }
        FileChannel channel = (FileChannel) cache.newByteChannel(name, TO_LOCK);
        boolean taken = false;
        try {
            taken = channel.tryLock() != null && locked.add(channel);
        } catch (OverlappingFileLockException e) {
            LogLine.write(LOG, Level.DEBUG, name + " is locked by this process", e);
        } finally {
            if (!taken) {
                channel.close();
            }
        }
        return taken;
    }

    /** Lock files go last: after a crash on the way here, what is left still has its proof. */
    private static void empty(SecureDirectoryStream<Path> cache) throws IOException {
        List<Path> names = names(cache);
        for (Path name : names) {
            if (!LOCKS.contains(name.toString())) {
                delete(cache, name, 0);
            }
        }
        for (Path name : names) {
            if (LOCKS.contains(name.toString())) {
                delete(cache, name, 0);
            }
        }
    }

    private static void delete(SecureDirectoryStream<Path> folder, Path name, int depth) throws IOException {
        if (!attributes(folder, name).isDirectory()) {
            folder.deleteFile(name);
            return;
        }
        if (depth == DEPTH) {
            throw new FileSystemException(name.toString(), null, "more than " + DEPTH + " folders in each other");
        }
        try (SecureDirectoryStream<Path> inner = folder.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
            for (Path entry : names(inner)) {
                delete(inner, entry, depth + 1);
            }
        }
        folder.deleteDirectory(name);
    }

    private static PosixFileAttributes attributes(SecureDirectoryStream<Path> folder, Path name) throws IOException {
        return folder.getFileAttributeView(name, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes();
    }

    private static List<Path> names(SecureDirectoryStream<Path> folder) throws IOException {
        List<Path> names = new ArrayList<>();
        try {
            folder.forEach(path -> names.add(path.getFileName()));
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return names;
    }
}
