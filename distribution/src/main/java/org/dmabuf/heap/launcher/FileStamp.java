// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;

/**
 * State of a file at one moment, to see whether it was written to. The change time, unlike the time of modification,
 * cannot be set by a program that copies.
 *
 * @param regular whether it is a regular file, links followed; nothing else may be opened, since a FIFO would block
 * @param size its bytes
 * @param changed when its content or its attributes last changed
 * @param inode which file it is
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
