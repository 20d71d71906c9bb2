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
 * <p>A folder is deleted if it belongs to this process's user, only that user may write to it, and its lock is free.
 * Older gateways had no lock file {@value BundleCache#LOCK}, only the framework's, {@value #FRAMEWORK_LOCK}. At least
 * one of the two lock files must exist, and each that exists must be free. An empty folder without a lock is removed; a
 * gateway that has just made it makes another. Every other folder is left.
 *
 * <p>Every step uses an open directory and follows no link, so files outside of the folder are never touched.
 */
final class LeftoverCaches {
    private static final String FRAMEWORK_LOCK = "cache.lock";
    private static final List<String> LOCKS = List.of(BundleCache.LOCK, FRAMEWORK_LOCK);
    private static final Pattern NAME = Pattern.compile(Pattern.quote(BundleCache.PREFIX) + "\\d+-\\d+");
    private static final Set<OpenOption> TO_LOCK =
            Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);

    /** Limit of nested folders: each level needs a descriptor while its content is deleted. */
    private static final int DEPTH = 200;

    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    private final Path parent;
    private final UserPrincipal owner;

    /**
     * Creates the object, which deletes nothing yet.
     *
     * @param parent folder with the caches; no other user may rename entries of {@code owner} in it
     * @param owner number of this process's user
     */
    LeftoverCaches(Path parent, UserPrincipal owner) {
        this.parent = parent;
        this.owner = owner;
    }

    /** Deletes all unused folders. A failure to delete does not stop the start of the gateway. */
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
        throw new FileSystemException(
                folder.toString(), null, "its file system does not open files relative to a folder");
    }

    private void deleteUnused(SecureDirectoryStream<Path> caches, Path name) {
        try {
            if (!isOurs(caches, name)) {
                return;
            }
            try (SecureDirectoryStream<Path> cache = caches.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
                if (!isOurs(cache.getFileAttributeView(PosixFileAttributeView.class)
                                .readAttributes())
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

    /** {@return whether the folder is empty now; false if a process may use it} */
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

    /** {@return false if the lock is held or the file is not a lock file} */
    private static boolean lock(SecureDirectoryStream<Path> cache, Path name, List<FileChannel> locked)
            throws IOException {
        try {
            if (!attributes(cache, name).isRegularFile()) {
                return false; // not opened, since opening a FIFO would block
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

    /** Lock files are deleted last: after a crash in between, the rest still has its proof that it is unused. */
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
            throw new FileSystemException(name.toString(), null, "more than " + DEPTH + " nested folders");
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
