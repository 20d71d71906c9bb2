// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import org.dmabuf.heap.Errno;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeAccessTest {
    @TempDir
    private Path dev;

    private Path node(String mode) throws IOException {
        Path node = Files.createFile(dev.resolve("system"));
        return Files.setPosixFilePermissions(node, PosixFilePermissions.fromString(mode));
    }

    private static String owners(Path node) throws IOException {
        PosixFileAttributes now = Files.readAttributes(node, PosixFileAttributes.class);
        return now.owner().getName() + ":" + now.group().getName();
    }

    @Test
    void a_group_that_has_access_is_named_as_a_remedy() throws IOException {
        Path node = node("rw-rw----");
        String group = owners(node).split(":")[1];
        assertEquals(
                "it belongs to " + owners(node) + " with rw-rw----; run this process in the group " + group
                        + " (SupplementaryGroups= in a unit), or give it access by an ACL",
                new NodeAccess(node).remedy("an ACL"));
    }

    @Test
    void a_group_without_access_is_no_remedy() throws IOException {
        Path node = node("rw-------");
        assertEquals(
                "it belongs to " + owners(node) + " with rw-------; give this process access by an ACL",
                new NodeAccess(node).remedy("an ACL"));
    }

    @Test
    void a_group_outside_the_user_namespace_is_no_remedy() throws IOException {
        Path node = node("rw-rw----");
        assumeTrue(
                Files.getAttribute(node, "unix:uid").equals(0),
                "skipped: only root can give a file to that group; run the tests as root");
        Files.setAttribute(node, "unix:gid", 65534);
        assertEquals(
                "it belongs to " + owners(node) + " with rw-rw----; give this process access by an ACL",
                new NodeAccess(node).remedy("an ACL"));
    }

    @Test
    void a_node_that_cannot_be_looked_at_still_has_a_remedy() {
        assertEquals("give this process access by an ACL", new NodeAccess(dev.resolve("none")).remedy("an ACL"));
    }

    @Test
    void a_refused_node_is_described_with_its_present_owners() throws IOException {
        String text = KernelError.text("open(/dev/null)", -Errno.EACCES.number());
        assertTrue(text.contains("; it belongs to " + owners(Path.of("/dev/null")) + " with "), text);
    }
}
