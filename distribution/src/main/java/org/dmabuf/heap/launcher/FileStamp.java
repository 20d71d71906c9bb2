// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;

/**
 * Snapshot of a file's state, which shows whether the file was written to. A program that copies can set the time of
 * modification, but not the change time.
 *
 * @param regular whether it is a regular file, with links followed; only a regular file may be opened, since a FIFO
 *     would block
 * @param size its bytes
 * @param changed time of the last change of its content or attributes
 * @param inode identity of the file
 */
record FileStamp(boolean regular, long size, FileTime changed, Object inode) {
    static FileStamp of(Path file) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(file, "unix:isRegularFile,size,ctime,ino");
        return new FileStamp(
                (Boolean) attributes.get("isRegularFile"),
                (Long) attributes.get("size"),
                (FileTime) attributes.get("ctime"),
                attributes.get("ino"));
    }
}
