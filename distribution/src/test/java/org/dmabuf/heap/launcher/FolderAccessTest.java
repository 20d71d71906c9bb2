// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderAccessTest {
    @TempDir
    private Path parent;

    private Path folder(String mode) throws IOException {
        Path folder = Files.createDirectories(parent.resolve("deploy"));
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(mode));
        return folder;
    }

    private static String refusal(Path folder) {
        return assertThrows(Failure.class, () -> FolderAccess.requireUnshared(folder))
                .getMessage();
    }

    @Test
    void a_folder_that_every_user_can_write_to_is_refused_with_mode_owner_and_remedy() throws IOException {
        Path folder = folder("rwxr-xrwx");
        FolderAccess access = FolderAccess.of(folder);
        assertEquals(
                "starting the gateway on " + folder + " failed: folder " + folder + " is writable by other users (mode"
                        + " 0757, owner " + access.owner().getName() + ", group "
                        + access.group().getName()
                        + "); run chmod go-w " + folder + ", or set DMAHEAP_ALLOW_SHARED_FOLDERS=true in the"
                        + " environment to trust these users",
                refusal(folder));
    }

    @Test
    void a_folder_of_the_own_user_alone_is_accepted() throws Exception {
        FolderAccess.requireUnshared(folder("rwxr-xr-x"));
        FolderAccess.requireUnshared(folder("rwx------"));
    }

    /** For such a bit, a mask of an access control list counts as well. */
    @Test
    void write_access_of_a_group_counts_unless_the_group_is_the_users_private_one() {
        assertTrue(access(0775, 1000, "alice", "staff").isWritableByOthers());
        assertFalse(access(0775, 1000, "alice", "alice").isWritableByOthers());
        assertTrue(access(0777, 1000, "alice", "alice").isWritableByOthers());
        assertTrue(access(0775, 0, "root", "root").isWritableByOthers());
        assertFalse(access(0755, 1000, "alice", "staff").isWritableByOthers());
    }

    @Test
    void the_sticky_bit_protects_entries_of_a_parent_but_not_a_folder_of_jars() throws Exception {
        Path open = Files.createDirectory(parent.resolve("open"));
        Files.setAttribute(open, "unix:mode", 01777);
        assertTrue(FolderAccess.of(open).isSticky());
        Path inside = Files.createDirectory(open.resolve("deploy"));
        FolderAccess.requireUnshared(inside);
        assertTrue(refusal(open).contains("(mode 1777, "));
        assertTrue(refusal(open.resolve("missing")).contains("folder " + open + " is writable by other users"));
        Files.setAttribute(open, "unix:mode", 0777);
        assertTrue(refusal(inside)
                .endsWith("run chmod go-w " + open
                        + ", or set DMAHEAP_ALLOW_SHARED_FOLDERS=true in the environment to trust these users"));
    }

    @Test
    void a_links_own_place_counts_as_well_as_its_targets() throws Exception {
        Path target = folder("rwxr-xr-x");
        Path open = Files.createDirectory(parent.resolve("open"));
        Path link = Files.createSymbolicLink(open.resolve("link"), target);
        FolderAccess.requireUnshared(link);
        Files.setAttribute(open, "unix:mode", 0777);
        assertTrue(refusal(link).contains("folder " + open + " is writable"));
    }

    @Test
    void a_folder_of_another_user_is_refused() throws Exception {
        Path folder = folder("rwxr-xr-x");
        assumeTrue(
                FolderAccess.ownUser().getName().equals("root"),
                "skipped: only root can give a folder away; run the tests as root");
        Files.setAttribute(folder, "unix:uid", 12345);
        assertTrue(refusal(folder).contains("folder " + folder + " belongs to another user (mode 0755, owner 12345, "));
    }

    private static FolderAccess access(int mode, int user, String owner, String group) {
        return new FolderAccess(Path.of("/x"), mode, user, principal(owner), principal(group));
    }

    private static GroupPrincipal principal(String name) {
        return new GroupPrincipal() {
            @Override
            public String getName() {
                return name;
            }
        };
    }
}
