// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Version of a file, as a look at the folder shows it. The time is that of the last change of content or access: a
 * program cannot set it, so it also shows a change that keeps size and time of modification.
 */
record FileVersion(Object key, FileTime changed, long size, String kind) {
    static final FileVersion ABSENT = of("absent file");
    /** Version of a file that is not read, because another file has the same PID. */
    static final FileVersion SECOND = of("second file");

    private static final String FILE = "file";

    private static FileVersion of(String kind) {
        return new FileVersion(null, FileTime.fromMillis(0), 0, kind);
    }

    /** {@return the versions of all files in a folder, by name} */
    static Map<String, FileVersion> list(Path folder) throws IOException {
        Map<String, FileVersion> versions = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                String name = file.getFileName().toString();
                if (!name.startsWith(".")) { // a file of an editor: the lock of Emacs is a dangling link
                    versions.put(name, of(file));
                }
            }
        }
        versions.replaceAll((name, version) -> versions.containsKey(NameCheck.preferred(name)) ? SECOND : version);
        return versions;
    }

    private static FileVersion of(Path file) {
        try {
            Map<String, Object> attributes =
                    Files.readAttributes(file, "unix:fileKey,ctime,size,isRegularFile,isDirectory");
            String kind = (Boolean) attributes.get("isRegularFile")
                    ? FILE
                    : (Boolean) attributes.get("isDirectory") ? "folder" : "special file";
            return new FileVersion(
                    attributes.get("fileKey"), (FileTime) attributes.get("ctime"), (Long) attributes.get("size"), kind);
        } catch (NoSuchFileException e) {
            return of("dangling link");
        } catch (IOException e) {
            return of("file that cannot be read");
        }
    }

    boolean isFile() {
        return kind.equals(FILE);
    }
}
