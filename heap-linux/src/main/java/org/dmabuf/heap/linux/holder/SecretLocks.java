// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Tracker of secret memory by a lock on its file. Inotify would keep the memory and never report its end, and the
 * kernel shows no count of its holders. But secret memory is one open file, which cannot be opened a second time. A
 * lock of flock(2) belongs to the open file. It stays in the kernel's list until the last descriptor, mapping or
 * message in flight is gone. A holder that unlocks the file only ends the charge early. Guarded by its
 * {@link HolderTable}.
 */
final class SecretLocks implements FileTracker {
    /**
     * Number of successive lists in which a lock must be absent. The kernel returns a long list in parts, and an unlock
     * between two parts can hide another lock.
     */
    private static final int LISTS = 3;

    private final HolderCalls calls;
    private final Map<String, TrackedFile.Secret> files = new HashMap<>();
    final Backoff backoff = new Backoff();

    SecretLocks(HolderCalls calls) {
        this.calls = calls;
    }

    TrackedFile.Secret add(String heap, long size, int fd) {
        int locked = calls.lock(fd);
        if (locked < 0) {
            throw KernelError.of(heap, size, "flock", locked);
        }
        TrackedFile.Secret file = null;
        try {
            String number = numberOfLock(calls.fdinfo(fd));
            if (!number.isEmpty()) {
                file = new TrackedFile.Secret(this, number);
            }
            if (file != null && !unlisted(List.of(file)).isEmpty()) {
                file = null;
            }
        } catch (IOException e) {
            file = null; // without these files the last holder could not be detected either
        } catch (HeapException e) {
            throw KernelError.of(heap, size, "open(/proc/locks)", -e.errno().number());
        }
        if (file == null) {
            throw HeapException.of(
                    Errno.ENOTSUP,
                    heap,
                    "a buffer of "
                            + Bytes.text(size) + " cannot be exported: its lock is not in /proc/locks; mount all of"
                            + " /proc");
        }
        TrackedFile.Secret known = files.putIfAbsent(file.number, file);
        return known == null ? file : known;
    }

    void remove(TrackedFile.Secret file) {
        files.remove(file.number, file);
    }

    private boolean awaited() {
        for (TrackedFile.Secret file : files.values()) {
            if (file.awaited()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public long dueIn(long now) {
        return awaited() ? backoff.dueIn(now) : NEVER;
    }

    @Override
    public void look(long now, boolean atAll, Consumer<TrackedFile> gone) {
        if (awaited() && (backoff.isDue(now) || atAll)) {
            passOnGone(gone);
        }
    }

    private void passOnGone(Consumer<TrackedFile> gone) {
        List<TrackedFile.Secret> unlisted;
        try {
            unlisted = unlisted(files.values());
        } catch (IOException | HeapException e) {
            return; // unknown counts as held; the next poll decides
        }
        for (TrackedFile.Secret file : unlisted) {
            remove(file);
            gone.accept(file);
        }
    }

    private List<TrackedFile.Secret> unlisted(Collection<TrackedFile.Secret> among) throws IOException {
        List<TrackedFile.Secret> unlisted = new ArrayList<>(among);
        for (int list = 0; list < LISTS && !unlisted.isEmpty(); list++) {
            String locks = calls.locks();
            if (!locks.isEmpty() && !locks.endsWith("\n")) {
                throw new IOException("/proc/locks is incomplete");
            }
            unlisted.removeIf(file -> locks.contains(" " + file.number + " "));
        }
        return unlisted;
    }

    /**
     * Returns the device and inode from a line such as {@code lock: 1: FLOCK ADVISORY READ 815 00:0e:4711 0 EOF}; empty
     * without such a line.
     */
    private static String numberOfLock(String fdinfo) {
        for (String line : (Iterable<String>) fdinfo.lines()::iterator) {
            String[] words = line.split("\\s+");
            if (words.length > 6 && words[0].equals("lock:") && words[2].equals("FLOCK")) {
                return words[6];
            }
        }
        return "";
    }
}
