// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Folder in which Configuration Admin keeps configurations from one start to the next. One gateway at a time uses it,
 * since Configuration Admin reads it once. Another gateway with the same folder starts without it.
 */
final class ConfigurationStore implements AutoCloseable {
    /** A file beside the folder: Configuration Admin reads all files in it, which would release the lock. */
    private static final String LOCK = ".lock";

    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    private final FileChannel lock;

    private ConfigurationStore(FileChannel lock) {
        this.lock = lock;
    }

    /**
     * Opens the store, if it can be used, and adds its folder to the settings of the framework.
     *
     * @return the store, which the caller closes at the end of the gateway; null without one
     */
    static ConfigurationStore open(Path folder, Map<String, String> settings) {
        try {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            FolderAccess access = FolderAccess.of(folder);
            if (access.isForeign() || access.isWritableByOthers()) {
                return without(folder, "other users can write to it; run chmod go-w on it");
            }
            FileChannel lock = lock(folder.resolveSibling(folder.getFileName() + LOCK));
            if (lock == null) {
                return without(folder, "another gateway uses it; give this one a folder with --state");
            }
            settings.put("felix.cm.dir", folder.toString());
            return new ConfigurationStore(lock);
        } catch (IOException e) {
            return without(folder, Sentence.of(e));
        }
    }

    private static ConfigurationStore without(Path folder, String reason) {
        LogLine.write(
                LOG,
                Level.WARN,
                "configurations that bundles set end with this process: opening " + folder + " failed: " + reason);
        return null;
    }

    /** {@return the held lock; null if another process holds it} */
    private static FileChannel lock(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        boolean locked = false;
        try {
            locked = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            // held by this process
        } finally {
            if (!locked) {
                channel.close();
            }
        }
        return locked ? channel : null;
    }

    @Override
    public void close() {
        try {
            lock.close();
        } catch (IOException e) {
            LogLine.write(LOG, Level.DEBUG, "closing a lock failed; the end of the process releases it", e);
        }
    }
}
