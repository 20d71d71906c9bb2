// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundleCacheTest {
    private static final long SELF = ProcessHandle.current().pid();

    @TempDir
    Path parent;

    @Test
    void folder_names_its_process_and_is_deleted_with_what_is_in_it() throws Exception {
        BundleCache cache = BundleCache.create(parent.resolve("cache"), parent);
        assertTrue(cache.folder().startsWith(parent.resolve("cache")));
        assertTrue(cache.folder().getFileName().toString().startsWith("dmabuf-gateway-" + SELF + "-"));
        Files.writeString(Files.createDirectory(cache.folder().resolve("bundle1")).resolve("bundle.info"), "");
        cache.delete();
        assertFalse(Files.exists(cache.folder()));
    }

    @Test
    void folder_of_a_dead_process_goes() throws Exception {
        Process process = new ProcessBuilder("true").start();
        process.waitFor();
        Path stale = leftover("dmabuf-gateway-" + process.pid() + "-1", Instant.now());
        BundleCache.create(parent, parent);
        assertFalse(Files.exists(stale));
    }

    @Test
    void folder_of_a_living_process_stays() throws Exception {
        Path used = leftover("dmabuf-gateway-" + SELF + "-1", Instant.now());
        BundleCache.create(parent, parent);
        assertTrue(Files.exists(used));
    }

    @Test
    void folder_older_than_the_process_that_now_has_its_number_goes() throws Exception {
        Path stale = leftover("dmabuf-gateway-" + SELF + "-1", Instant.parse("2020-01-01T00:00:00Z"));
        BundleCache.create(parent, parent);
        assertFalse(Files.exists(stale));
    }

    @Test
    void what_others_put_there_stays() throws Exception {
        Path other = leftover("somebody-else", Instant.EPOCH);
        Path similar = leftover("dmabuf-gateway-1-notes", Instant.EPOCH);
        BundleCache.create(parent, parent);
        assertTrue(Files.exists(other));
        assertTrue(Files.exists(similar));
    }

    @Test
    void where_the_home_cannot_be_written_the_other_folder_is_taken() throws Exception {
        Path file = Files.createFile(parent.resolve("cache")); // root may write to any folder, but into no file
        BundleCache cache = BundleCache.create(file, parent);
        assertEquals(parent, cache.folder().getParent());
    }

    private Path leftover(String name, Instant modified) throws IOException {
        Path folder = Files.createDirectory(parent.resolve(name));
        Files.createFile(folder.resolve("cache.lock"));
        return Files.setLastModifiedTime(folder, FileTime.from(modified));
    }
}
