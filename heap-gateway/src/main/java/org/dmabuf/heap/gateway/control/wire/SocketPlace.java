// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;

/**
 * A place for a socket. What another user could put there is not trusted.
 *
 * @param path of the socket's file
 * @param ownFolder whether its folder is made by the gateway and for it alone; otherwise it is the system's or the
 *     administrator's
 */
public record SocketPlace(Path path, boolean ownFolder) {
    private static final int FILE_TYPE = 0170000;
    private static final int SOCKET = 0140000;
    private static final int WRITABLE_BY_OTHERS = 0022;
    private static final int ANYTHING_FOR_OTHERS = 0077;
    private static final int STICKY = 01000;

    static SocketPlace inOwnFolder(Path path) {
        return new SocketPlace(path, true);
    }

    static SocketPlace inFolderOfSystem(Path path) {
        return new SocketPlace(path, false);
    }

    /** Makes the folder if it is one that the gateway makes. */
    public void makeFolder() throws IOException {
        Path folder = path.getParent();
        if (ownFolder && !Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectory(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
    }

    /**
     * Checks that no other user, except root, can put a file into the folder or take one away.
     *
     * @param user number of the user whose folder it has to be
     */
    public void requireTrustedFolder(int user) throws IOException {
        Path folder = path.getParent();
        if (ownFolder) {
            Map<String, Object> attributes =
                    Files.readAttributes(folder, "unix:mode,uid,isDirectory", LinkOption.NOFOLLOW_LINKS);
            if (!(Boolean) attributes.get("isDirectory")) {
                throw new FileSystemException(folder.toString(), null, "it is no folder");
            }
            if (!attributes.get("uid").equals(user)) {
                throw new FileSystemException(
                        folder.toString(), null, "it belongs to another user, number " + attributes.get("uid"));
            }
            if (((Integer) attributes.get("mode") & ANYTHING_FOR_OTHERS) != 0) {
                throw new FileSystemException(
                        folder.toString(), null, "other users have access to it; take that away with chmod go=");
            }
            return;
        }
        Map<String, Object> attributes = Files.readAttributes(folder, "unix:mode,uid,isDirectory");
        if (!(Boolean) attributes.get("isDirectory")) {
            throw new FileSystemException(folder.toString(), null, "it is no folder");
        }
        Object owner = attributes.get("uid");
        if (!owner.equals(user) && !owner.equals(0)) {
            throw new FileSystemException(folder.toString(), null, "it belongs to another user, number " + owner);
        }
        int mode = (Integer) attributes.get("mode");
        if ((mode & WRITABLE_BY_OTHERS) != 0 && (mode & STICKY) == 0) {
            throw new FileSystemException(
                    folder.toString(),
                    null,
                    "other users may rename what is in it; take that right away with chmod go-w");
        }
    }

    /** {@return whether there is a file, of whatever kind} */
    public boolean exists() {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    /** {@return whether there may be a file, since the folder is closed to this process} */
    public boolean isHidden() {
        return !exists() && !Files.notExists(path, LinkOption.NOFOLLOW_LINKS);
    }

    /** {@return whether the file, or what a link leads to, is a socket} */
    public boolean isSocket() throws IOException {
        return ((Integer) Files.getAttribute(path, "unix:mode") & FILE_TYPE) == SOCKET;
    }

    /** Checks that the file is a socket of this user, and no link to one. */
    public void requireSocketOf(int user) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(path, "unix:mode,uid", LinkOption.NOFOLLOW_LINKS);
        if (((Integer) attributes.get("mode") & FILE_TYPE) != SOCKET) {
            throw new FileSystemException(path.toString(), null, "a file that is no socket is in the way");
        }
        if (!attributes.get("uid").equals(user)) {
            throw new FileSystemException(
                    path.toString(),
                    null,
                    "a socket of another user, number " + attributes.get("uid") + ", is in the way");
        }
    }
}
