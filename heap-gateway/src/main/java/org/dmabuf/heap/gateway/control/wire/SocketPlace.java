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
 * Place for a socket. A file that another user could have put there is not trusted.
 *
 * @param path of the socket's file
 * @param ownFolder whether the gateway creates the folder for itself; if not, the system or the administrator owns it
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

    /** Creates the folder if the gateway owns it. */
    public void makeFolder() throws IOException {
        Path folder = path.getParent();
        if (ownFolder && !Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectory(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
    }

    /**
     * Checks that no other user, except root, can create or remove files in the folder.
     *
     * @param user number of the user to whom the folder must belong
     */
    public void requireTrustedFolder(int user) throws IOException {
        Path folder = path.getParent();
        if (ownFolder) {
            Map<String, Object> attributes =
                    Files.readAttributes(folder, "unix:mode,uid,isDirectory", LinkOption.NOFOLLOW_LINKS);
            if (!(Boolean) attributes.get("isDirectory")) {
                throw new FileSystemException(folder.toString(), null, "it is not a folder");
            }
            if (!attributes.get("uid").equals(user)) {
                throw new FileSystemException(
                        folder.toString(), null, "it belongs to another user, number " + attributes.get("uid"));
            }
            if (((Integer) attributes.get("mode") & ANYTHING_FOR_OTHERS) != 0) {
                throw new FileSystemException(
                        folder.toString(), null, "other users have access to it; run chmod go= on it");
            }
            return;
        }
        Map<String, Object> attributes = Files.readAttributes(folder, "unix:mode,uid,isDirectory");
        if (!(Boolean) attributes.get("isDirectory")) {
            throw new FileSystemException(folder.toString(), null, "it is not a folder");
        }
        Object owner = attributes.get("uid");
        if (!owner.equals(user) && !owner.equals(0)) {
            throw new FileSystemException(folder.toString(), null, "it belongs to another user, number " + owner);
        }
        int mode = (Integer) attributes.get("mode");
        if ((mode & WRITABLE_BY_OTHERS) != 0 && (mode & STICKY) == 0) {
            throw new FileSystemException(
                    folder.toString(), null, "other users may rename files in it; run chmod go-w on it");
        }
    }

    /** {@return whether a file of any kind exists} */
    public boolean exists() {
        return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
    }

    /** {@return whether a file may exist: the folder is closed to this process} */
    public boolean isHidden() {
        return !exists() && !Files.notExists(path, LinkOption.NOFOLLOW_LINKS);
    }

    /** {@return whether the file, or the target of a link, is a socket} */
    public boolean isSocket() throws IOException {
        return ((Integer) Files.getAttribute(path, "unix:mode") & FILE_TYPE) == SOCKET;
    }

    /** Checks that the file is a socket of this user, not a link to one. */
    public void requireSocketOf(int user) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(path, "unix:mode,uid", LinkOption.NOFOLLOW_LINKS);
        if (((Integer) attributes.get("mode") & FILE_TYPE) != SOCKET) {
            throw new FileSystemException(path.toString(), null, "the path is taken by a file that is not a socket");
        }
        if (!attributes.get("uid").equals(user)) {
            throw new FileSystemException(
                    path.toString(),
                    null,
                    "the path is taken by a socket of another user, number " + attributes.get("uid"));
        }
    }
}
