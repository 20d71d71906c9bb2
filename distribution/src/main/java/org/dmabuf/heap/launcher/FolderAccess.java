// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.UserPrincipal;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Owner and mode of a folder, and the users who can change its content. An access control list shows in the mode: its
 * mask replaces the bits of the group.
 *
 * <p>A group counts as private to a user if it has the user's name and the user is not root. With such groups, many
 * distributions use the umask 002, so every folder of a user has write access for the group. It is the rule of PAM's
 * module pam_umask.
 */
record FolderAccess(Path folder, int mode, int user, UserPrincipal owner, GroupPrincipal group) {
    /** Variable of the environment that permits shared folders, if it is {@code true}. */
    static final String PERMISSION = "DMAHEAP_ALLOW_SHARED_FOLDERS";

    private static final int WRITABLE_BY_GROUP = 0020;
    private static final int WRITABLE_BY_OTHERS = 0002;
    private static final int STICKY = 01000;
    private static final int PERMISSIONS = 07777;
    private static final int ROOT = 0;

    /** Belongs to the user of this process. */
    private static final Path PROCESS = Path.of("/proc/self");

    static FolderAccess of(Path folder) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(folder, "unix:mode,uid,owner,group");
        return new FolderAccess(
                folder,
                (Integer) attributes.get("mode") & PERMISSIONS,
                (Integer) attributes.get("uid"),
                (UserPrincipal) attributes.get("owner"),
                (GroupPrincipal) attributes.get("group"));
    }

    /** {@return the user of this process} */
    static UserPrincipal ownUser() throws IOException {
        return Files.getOwner(PROCESS);
    }

    /**
     * Requires that only root and this process's user can change a folder's content, which the gateway executes or
     * obeys. A folder that does not exist yet stands for the one that it will be created in. In a read-only mount,
     * owner and mode do not matter. No folder above it, nor above a link's target, may let other users rename its
     * entries.
     */
    static void requireUnshared(Path folder) throws Failure {
        try {
            Path existing = folder.toAbsolutePath();
            while (Files.notExists(existing)) {
                existing = existing.getParent();
            }
            FolderAccess access = of(existing);
            // a mounted ConfigMap has the mode 0777
            boolean frozen = MountTable.read().isReadOnly(existing.toRealPath());
            if (!frozen && access.isForeign()) {
                throw access.failure(folder, "belongs to another user", "run chown on it");
            }
            if (!frozen && access.isWritableByOthers()) {
                throw access.failure(folder, "is writable by other users", "run chmod go-w " + existing);
            }
            for (Path parent : Stream.of(existing, existing.toRealPath())
                    .flatMap(path -> Stream.iterate(path.getParent(), up -> up != null, Path::getParent))
                    .toList()) {
                FolderAccess above = of(parent);
                if (above.isWritableByOthers() && !above.isSticky()) {
                    throw above.failure(folder, "is writable by other users", "run chmod go-w " + parent);
                }
            }
        } catch (IOException e) {
            throw Failure.of("checking the users of " + folder + " failed: " + Sentence.of(e), e);
        }
    }

    private Failure failure(Path checked, String fault, String remedy) {
        return Failure.of("starting the gateway on " + checked + " failed: folder " + folder + " " + fault + " (mode "
                + String.format("%04o", mode) + ", owner " + owner.getName() + ", group " + group.getName() + "); "
                + remedy + ", or set " + PERMISSION + "=true in the environment to trust these users");
    }

    /** Whether the owner is neither root nor this process's user. */
    boolean isForeign() throws IOException {
        return user != ROOT && !owner.equals(ownUser());
    }

    /** Whether users other than the owner and root can create files in it. */
    boolean isWritableByOthers() {
        boolean privateGroup = user != ROOT && owner.getName().equals(group.getName());
        return (mode & WRITABLE_BY_OTHERS) != 0 || (mode & WRITABLE_BY_GROUP) != 0 && !privateGroup;
    }

    /** Whether users can rename and delete only their own entries. */
    boolean isSticky() {
        return (mode & STICKY) != 0;
    }
}
