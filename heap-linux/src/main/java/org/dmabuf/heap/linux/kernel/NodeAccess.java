// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Remedy for a device node that this process may not open. */
final class NodeAccess {
    private static final Set<PosixFilePermission> GROUP =
            Set.of(PosixFilePermission.GROUP_READ, PosixFilePermission.GROUP_WRITE);
    /** Default of kernel.overflowgid: a group that is not mapped into the user namespace of this process. */
    private static final int UNMAPPED = 65534;

    private final Path node;

    NodeAccess(Path node) {
        this.node = node;
    }

    /**
     * {@return a clause that names the node's present owner, group and mode, if this process can read them}
     *
     * @param rule ways to give the access without a group
     */
    String remedy(String rule) {
        try {
            PosixFileAttributes now = Files.readAttributes(node, PosixFileAttributes.class);
            String present = "it belongs to " + now.owner().getName() + ":"
                    + now.group().getName() + " with " + PosixFilePermissions.toString(now.permissions());
            return now.permissions().containsAll(GROUP)
                            && !Files.getAttribute(node, "unix:gid").equals(UNMAPPED)
                    ? present + "; run this process in the group " + now.group().getName()
                            + " (SupplementaryGroups= in a unit), or give it access by " + rule
                    : present + "; give this process access by " + rule;
        } catch (IOException e) {
            return "give this process access by " + rule;
        }
    }
}
