// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BundleCacheTest {
    private static final long SELF = ProcessHandle.current().pid();

    @TempDir
    Path folder;

    private Path parent;

    @BeforeEach
    void makeParent() throws IOException {
        parent = Files.createDirectory(folder.resolve("parent"));
    }

    @Test
    void folder_names_its_process_is_private_and_is_deleted_with_its_content() throws Exception {
        BundleCache cache = BundleCache.create(parent.resolve("cache"), parent);
        Path top = parent.resolve("cache").relativize(cache.folder()).getName(0);
        assertTrue(top.toString().startsWith("dmabuf-gateway-" + SELF + "-"), top.toString());
        assertEquals("rwx------", permissions(parent.resolve("cache")));
        assertEquals("rwx------", permissions(parent.resolve("cache").resolve(top)));
        Path outside = Files.writeString(folder.resolve("outside"), "kept");
        Files.writeString(
                Files.createDirectory(cache.folder().resolve("bundle1")).resolve("bundle.info"), "");
        Files.createSymbolicLink(cache.folder().resolve("link"), folder);
        Files.createLink(cache.folder().resolve("hard"), outside);
        cache.close();
        assertEquals(List.of(), entries(parent.resolve("cache")));
        assertEquals("kept", Files.readString(outside));
        cache.close();
    }

    @Test
    void folder_of_a_killed_process_is_deleted() throws Exception {
        Path killed = leftover("dmabuf-gateway-1-1", BundleCache.LOCK);
        Files.createDirectories(killed.resolve("state/bundle1/data"));
        Path older = leftover("dmabuf-gateway-" + SELF + "-2", "cache.lock");
        Path unbegun = Files.createDirectory(parent.resolve("dmabuf-gateway-1-3"));
        BundleCache.create(parent, folder);
        assertEquals(
                List.of(false, false, false),
                Stream.of(killed, older, unbegun).map(Files::exists).toList());
    }

    @Test
    void folder_whose_lock_another_process_holds_stays_whatever_its_name() throws Exception {
        Process dead = new ProcessBuilder("true").start();
        dead.waitFor();
        for (String lock : List.of(BundleCache.LOCK, "cache.lock")) {
            // A process of another PID namespace has a number that is unused here or belongs to another process.
            Path used = leftover("dmabuf-gateway-" + dead.pid() + "-1", lock);
            Process holder = Locking.hold(used.resolve(lock));
            try {
                BundleCache.create(parent, folder).close();
                assertTrue(Files.exists(used.resolve("content")), lock);
            } finally {
                holder.destroyForcibly().waitFor();
            }
            BundleCache.create(parent, folder).close();
            assertFalse(Files.exists(used), lock);
        }
    }

    @Test
    void folder_that_may_be_in_use_or_foreign_stays() throws Exception {
        Path outside = Files.createDirectory(folder.resolve("outside"));
        Files.createFile(outside.resolve(BundleCache.LOCK));
        Path target = Files.createFile(outside.resolve("target"));
        List<Path> kept = new ArrayList<>(List.of(
                outside.resolve(BundleCache.LOCK),
                target,
                leftover("another-process", BundleCache.LOCK),
                leftover("dmabuf-gateway-1-notes", BundleCache.LOCK),
                leftover("dmabuf-gateway-1-1", "no lock"),
                Files.createSymbolicLink(parent.resolve("dmabuf-gateway-1-2"), outside),
                Files.createFile(parent.resolve("dmabuf-gateway-1-3"))));
        Path linked = leftover("dmabuf-gateway-1-4", "no lock");
        kept.add(Files.createSymbolicLink(linked.resolve(BundleCache.LOCK), target));
        Path piped = leftover("dmabuf-gateway-1-5", "no lock");
        kept.add(fifo(piped.resolve(BundleCache.LOCK)));
        kept.add(fifo(parent.resolve("dmabuf-gateway-1-6")));
        Path open = leftover("dmabuf-gateway-1-7", BundleCache.LOCK);
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        kept.add(open.resolve("content"));
        BundleCache.create(parent, folder).close();
        for (Path path : kept) {
            assertTrue(Files.exists(path, LinkOption.NOFOLLOW_LINKS), path.toString());
        }
    }

    @Test
    void folder_of_another_user_stays() throws Exception {
        assumeTrue(
                (Integer) Files.getAttribute(parent, "unix:uid") == 0,
                "skipped: only root can give a file away; run the tests as root");
        Path other = leftover("dmabuf-gateway-1-1", BundleCache.LOCK);
        Files.setAttribute(other, "unix:uid", 12345);
        BundleCache.create(parent, folder).close();
        assertTrue(Files.exists(other.resolve("content")));
    }

    @Test
    void links_in_a_leftover_are_removed_and_never_followed() throws Exception {
        Path outside = Files.createDirectory(folder.resolve("outside"));
        Path file = Files.writeString(outside.resolve("file"), "kept");
        Path stale = leftover("dmabuf-gateway-1-1", BundleCache.LOCK);
        Files.createSymbolicLink(stale.resolve("link"), outside);
        Files.createLink(stale.resolve("hard"), file);
        fifo(stale.resolve("fifo"));
        BundleCache.create(parent, folder);
        assertFalse(Files.exists(stale));
        assertEquals("kept", Files.readString(file));
    }

    /** The deletion must not follow a link that appears meanwhile: one thread swaps in a link, another deletes. */
    @Test
    void folder_that_becomes_a_link_during_its_deletion_is_not_followed() throws Exception {
        Path outside = Files.createDirectory(folder.resolve("outside"));
        Path file = Files.writeString(outside.resolve("file"), "kept");
        for (int round = 0; round < 200; round++) {
            Path stale = leftover("dmabuf-gateway-1-" + round, BundleCache.LOCK);
            Path inner = Files.createDirectory(stale.resolve("inner"));
            Files.writeString(inner.resolve("file"), "");
            Thread swapper = Thread.ofPlatform().start(() -> {
                try {
                    Files.move(inner, folder.resolve("away"));
                    Files.createSymbolicLink(inner, outside);
                } catch (IOException e) {
                    // The deletion was faster.
                }
            });
            BundleCache.create(parent, folder).close();
            swapper.join();
            assertEquals("kept", Files.readString(file));
            Files.deleteIfExists(folder.resolve("away/file"));
            Files.deleteIfExists(folder.resolve("away"));
        }
    }

    @Test
    void gateways_that_start_at_once_leave_each_other_alone() throws Exception {
        List<Process> gateways = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            gateways.add(Locking.makeCaches(parent, folder.resolve("otherwise")));
        }
        for (Process gateway : gateways) {
            String printed = new String(gateway.getInputStream().readAllBytes());
            assertEquals(0, gateway.waitFor(), printed);
        }
        assertEquals(List.of(), entries(parent));
    }

    @Test
    void read_only_home_leads_to_the_other_folder() throws Exception {
        Path file = Files.createFile(parent.resolve("cache")); // even root cannot create an entry in a file
        BundleCache cache = BundleCache.create(file, parent);
        assertEquals(parent, cache.folder().getParent().getParent());
    }

    @Test
    void folder_whose_entries_others_may_rename_is_not_used() throws Exception {
        Path shared = Files.createDirectory(folder.resolve("shared"));
        for (String permissions : List.of("rwxrwxr-x", "rwxr-xrwx")) {
            Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString(permissions));
            BundleCache cache = BundleCache.create(shared, parent);
            assertEquals(parent, cache.folder().getParent().getParent());
            assertEquals(List.of(), entries(shared));
            Failure failure = assertThrows(Failure.class, () -> BundleCache.create(shared, shared));
            assertTrue(failure.getMessage().contains("other users may rename files in it"), failure.getMessage());
        }
        Files.setAttribute(shared, "unix:mode", 01777); // as /tmp is
        assertEquals(
                shared, BundleCache.create(shared, parent).folder().getParent().getParent());
    }

    private Path leftover(String name, String lock) throws IOException {
        Path cache = Files.createDirectory(
                parent.resolve(name),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Files.createFile(cache.resolve(lock));
        Files.createFile(cache.resolve("content"));
        return cache;
    }

    private static Path fifo(Path path) throws Exception {
        assertEquals(0, new ProcessBuilder("mkfifo", path.toString()).start().waitFor());
        return path;
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    private static List<Path> entries(Path path) throws IOException {
        try (Stream<Path> entries = Files.list(path)) {
            return entries.toList();
        }
    }

    /** Another process. */
    static final class Locking {
        private Locking() {}

        /** Starts a process that holds a lock. The process has the lock when this method returns. */
        static Process hold(Path lock) throws IOException {
            Process process = java("hold", lock.toString());
            assertEquals('+', process.getInputStream().read());
            return process;
        }

        /** Starts a process that makes and deletes caches. */
        static Process makeCaches(Path preferred, Path otherwise) throws IOException {
            return java("make", preferred.toString(), otherwise.toString());
        }

        private static Process java(String... arguments) throws IOException {
            List<String> command = new ArrayList<>(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-cp",
                    System.getProperty("java.class.path"),
                    Locking.class.getName()));
            command.addAll(List.of(arguments));
            return new ProcessBuilder(command).redirectErrorStream(true).start();
        }

        public static void main(String[] arguments) throws Exception {
            if (arguments[0].equals("hold")) {
                try (FileChannel channel = FileChannel.open(Path.of(arguments[1]), StandardOpenOption.WRITE)) {
                    channel.lock();
                    System.out.write('+');
                    System.out.flush();
                    Thread.sleep(Long.MAX_VALUE);
                }
            }
            Set<Path> made = new HashSet<>();
            for (int i = 0; i < 50; i++) {
                BundleCache cache = BundleCache.create(Path.of(arguments[1]), Path.of(arguments[2]));
                Path file = Files.createFile(cache.folder().resolve("file"));
                Thread.yield();
                if (!Files.exists(file) || !made.add(cache.folder())) {
                    throw new AssertionError("deleted by another gateway: " + file);
                }
                cache.close();
            }
        }
    }
}
