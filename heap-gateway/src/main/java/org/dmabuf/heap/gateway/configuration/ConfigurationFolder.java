// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dmabuf.heap.linux.component.SettingsFile;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Checker of the files of one folder. It reports each finding once for each version of its file. It reads a file only
 * if two successive looks show the same version, since a person may be writing it. Not safe for use by several threads.
 */
final class ConfigurationFolder {
    private static final long LARGEST = 1 << 20;
    /** Limit of findings that are reported one by one for a file. */
    private static final int MOST = 20;

    /** Version of a file, as a look at the folder shows it. */
    private record Version(Object key, long changed, long size, String kind) {}

    /** File in one version, with the findings that were reported for it. */
    private static final class Seen {
        private final Version version;
        private final Set<String> reported = new HashSet<>();
        private boolean stable;

        Seen(Version version) {
            this.version = version;
        }
    }

    private final Path folder;
    private final String shown;
    private final Consumer<String> log;
    private Map<String, Seen> seen = new TreeMap<>();

    /**
     * @param folder folder with the files
     * @param log receives each finding
     */
    ConfigurationFolder(Path folder, Consumer<String> log) {
        this.folder = folder;
        this.shown = Printable.of(String.valueOf(folder.getFileName()));
        this.log = log;
    }

    /**
     * Looks at the folder and checks the text of new files.
     *
     * @return whether there are files that were not compared with the components yet
     * @throws IOException if the folder cannot be listed
     */
    boolean look() throws IOException {
        boolean more = false;
        Map<String, Seen> now = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                String name = file.getFileName().toString();
                if (name.startsWith(".")) {
                    continue; // a file of an editor: the lock of Emacs is a dangling link
                }
                Seen before = seen.get(name);
                Version version = version(file);
                boolean same = before != null && before.version.equals(version);
                now.put(name, same ? before : new Seen(version));
                if (same && !before.stable) {
                    before.stable = true;
                    more = true;
                    report(before, name, text(file, before));
                }
            }
        }
        seen = now;
        return more;
    }

    /**
     * Checks names and settings. The caller calls it after a pause without bundle changes.
     *
     * @param known the installed components
     */
    void compare(Components known) {
        NameCheck names = new NameCheck(shown, known);
        seen.forEach((name, file) -> {
            if (file.stable) {
                names.finding(name).ifPresent(finding -> report(file, finding));
                if (NameCheck.isRead(name) && file.version.kind().equals("file")
                        && file.version.size() <= LARGEST) {
                    report(file, name, settings(name, known));
                }
            }
        });
    }

    private static Version version(Path file) {
        try {
            BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
            String kind = attributes.isRegularFile() ? "file" : attributes.isDirectory() ? "folder" : "special file";
            return new Version(
                    attributes.fileKey(), attributes.lastModifiedTime().toMillis(), attributes.size(), kind);
        } catch (NoSuchFileException e) {
            return new Version(null, 0, 0, "dangling link");
        } catch (IOException e) {
            return new Version(null, 0, 0, "file that cannot be read");
        }
    }

    private List<String> text(Path file, Seen state) {
        String name = file.getFileName().toString();
        if (!NameCheck.isRead(name)) {
            return List.of();
        }
        String path = shown + "/" + Printable.of(name);
        if (!state.version.kind().equals("file")) {
            return List.of("invalid " + state.version.kind() + " " + path + ": expected a file with settings");
        }
        if (state.version.size() > LARGEST) {
            return List.of("invalid size = " + Bytes.text(state.version.size()) + " of " + path
                    + ": expected a file of at most 1 MiB; while it is read, no other file takes effect");
        }
        try {
            return TextCheck.findings(path, Files.readAllBytes(file), name.endsWith(".cfg"));
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            return List.of("reading " + path + " failed: " + Printable.of(e.toString())
                    + "; permit the gateway's user to read it");
        }
    }

    private List<String> settings(String name, Components known) {
        try {
            SettingsFile file = SettingsFile.read(folder.resolve(name));
            return SettingCheck.findings(
                    shown + "/" + Printable.of(name), file.entries(), known.settings(NameCheck.pid(name)));
        } catch (IOException e) {
            return List.of(); // the check of the text reports it
        }
    }

    /** Reports at most {@link #MOST} findings one by one: a file in another format has a finding for each line. */
    private void report(Seen file, String name, List<String> findings) {
        int shownFindings = Math.min(MOST, findings.size());
        findings.subList(0, shownFindings).forEach(finding -> report(file, finding));
        if (shownFindings < findings.size()) {
            report(file, findings.size() - shownFindings + " more findings in " + shown + "/" + Printable.of(name)
                    + ": expected settings, NAME = VALUE");
        }
    }

    private void report(Seen file, String finding) {
        if (file.reported.add(finding)) {
            log.accept(finding);
        }
    }
}
