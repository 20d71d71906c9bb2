// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Says which secret memory is gone. Inotify would keep it and never tell, and nothing counts it; but it is one open
 * file, which cannot be opened a second time, and a lock of flock(2) belongs to the open file: it stays in the kernel's
 * list until the last descriptor, mapping and message in flight has gone. A peer that unlocks the file ends its
 * maker's charge early and harms nothing else. Guarded by its {@link PeerTable}.
 */
final class SecretLocks {
    private final PeerCalls calls;
    private final Map<String, FollowedFile.Secret> files = new HashMap<>();
    final Pace pace = new Pace();

    SecretLocks(PeerCalls calls) {
        this.calls = calls;
    }

    FollowedFile.Secret add(String heap, long size, int fd) {
        int locked = calls.lock(fd);
        if (locked < 0) {
            throw Refusal.of(heap, size, "flock", locked);
        }
        String number = "";
        boolean listed = false;
        try {
            number = numberOfLock(calls.fdinfo(fd));
            listed = !number.isEmpty() && isListed(number, calls.locks());
        } catch (IOException e) {
            // As if it were not there.
        }
        if (!listed) {
            throw new HeapException(
                    Errno.ENOTSUP,
                    heap,
                    "heap '" + heap + "': nothing would tell when those who got the descriptor of a buffer of "
                            + Bytes.text(size) + " have let go of it: its lock is not in /proc/locks; is all of /proc"
                            + " mounted?");
        }
        return files.computeIfAbsent(number, FollowedFile.Secret::new);
    }

    void remove(FollowedFile.Secret file) {
        files.remove(file.number, file);
    }

    /** {@return whether somebody waits for one of them} */
    boolean awaited() {
        for (FollowedFile.Secret file : files.values()) {
            if (file.awaited()) {
                return true;
            }
        }
        return false;
    }

    /** {@return the files that are gone since the last call; does not wait} */
    List<FollowedFile.Secret> gone() {
        List<FollowedFile.Secret> gone = new ArrayList<>();
        String locks;
        try {
            locks = calls.locks();
        } catch (IOException e) {
            return gone; // what is not known is held: it is asked again
        }
        if (locks.isEmpty() || locks.endsWith("\n")) { // half of it would make the rest look gone
            files.values().removeIf(file -> !isListed(file.number, locks) && gone.add(file));
        }
        return gone;
    }

    private static boolean isListed(String number, String locks) {
        return locks.contains(" " + number + " ");
    }

    /** From a line as {@code lock: 1: FLOCK ADVISORY READ 815 00:0e:4711 0 EOF}; empty when there is none. */
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
