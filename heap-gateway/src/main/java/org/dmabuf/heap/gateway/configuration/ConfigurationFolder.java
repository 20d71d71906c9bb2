// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.dmabuf.heap.gateway.configuration.TextCheck.Finding;
import org.dmabuf.heap.linux.component.SettingsFile;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Folder of configuration files, which passes the settings of each file to a {@link Target} and reports errors. It
 * reports each finding once for each version of its file. It acts on a file only if two successive looks show the same
 * version, since a person may be writing it or replacing it by another. Not safe for use by several threads.
 *
 * <p>If a file that is in force gets an error of syntax, its earlier settings stay.
 */
final class ConfigurationFolder {
    private static final long LARGEST = 1 << 20;
    /** Limit of findings that are reported one by one for a file. */
    private static final int MOST = 20;

    private static final String STAYS = "; the previous settings stay in force";

    /** Configurations that come from files. A file is identified by its name. */
    interface Target {
        /** Removes the configurations of all other files, which vanished while no gateway ran. */
        void retain(Set<String> names) throws IOException;

        /** {@return whether settings of this file are in force} */
        boolean owns(String name) throws IOException;

        /** Puts the settings of a file into force. Without settings, it overrides no other origin. */
        void apply(String name, Map<String, Object> settings) throws IOException;

        /** Removes the configuration of a file, if there is one. */
        void remove(String name) throws IOException;
    }

    /** File in one version, with the findings that were reported for it. */
    private static final class Seen {
        private final FileVersion version;
        private final Set<String> reported = new HashSet<>();
        private boolean stable;

        Seen(FileVersion version) {
            this.version = version;
        }
    }

    private final Path folder;
    private final String shown;
    private final Target target;
    private final Consumer<String> log;
    private Map<String, Seen> seen = new TreeMap<>();

    /**
     * @param folder folder with the files
     * @param target receives the settings
     * @param log receives each finding
     */
    ConfigurationFolder(Path folder, Target target, Consumer<String> log) {
        this.folder = folder;
        this.shown = Printable.of(String.valueOf(folder.getFileName()));
        this.target = target;
        this.log = log;
    }

    /** Applies all files at once, and removes configurations whose files have vanished. */
    void lookFirst() throws IOException {
        Map<String, FileVersion> listed = FileVersion.list(folder);
        target.retain(listed.keySet());
        look(listed, true);
    }

    /**
     * Looks at the folder and applies new versions.
     *
     * @return whether there are files that were not compared with the components yet
     * @throws IOException if the folder cannot be listed
     */
    boolean look() throws IOException {
        return look(FileVersion.list(folder), false);
    }

    private boolean look(Map<String, FileVersion> listed, boolean first) {
        boolean more = false;
        Map<String, Seen> now = new TreeMap<>();
        Set<String> names = new TreeSet<>(listed.keySet());
        names.addAll(seen.keySet());
        for (String name : names) {
            FileVersion version = listed.getOrDefault(name, FileVersion.ABSENT);
            Seen before = seen.get(name);
            boolean same = before != null && before.version.equals(version);
            Seen file = same ? before : new Seen(version);
            if ((same || first) && !file.stable) {
                file.stable = act(name, file);
                more |= file.stable;
            }
            if (version != FileVersion.ABSENT || !file.stable) {
                now.put(name, file);
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
                if (NameCheck.isRead(name) && file.version.isFile() && file.version.size() <= LARGEST) {
                    report(file, name, settings(name, known));
                }
            }
        });
    }

    /** {@return whether the version is dealt with; false if Configuration Admin failed, which may pass} */
    private boolean act(String name, Seen file) {
        if (!NameCheck.isRead(name)) {
            return true;
        }
        String path = shown + "/" + Printable.of(name);
        try {
            if (file.version == FileVersion.ABSENT) {
                target.remove(name);
            } else if (file.version == FileVersion.SECOND) {
                report(
                        file,
                        "invalid name " + Printable.of(name) + " in " + shown + ": expected one file for a PID, but "
                                + Printable.of(NameCheck.preferred(name)) + " has the same; it is not read");
            } else if (!file.version.isFile()) {
                report(file, "invalid " + file.version.kind() + " " + path + ": expected a file with settings");
            } else if (file.version.size() > LARGEST) {
                report(
                        file,
                        "invalid size = " + Bytes.text(file.version.size()) + " of " + path
                                + ": expected a file of at most 1 MiB; it is not read");
            } else {
                read(name, path, file);
            }
            return true;
        } catch (IOException | RuntimeException e) {
            report(file, "configuring from " + path + " failed: " + Printable.of(e.toString()) + "; it is tried again");
            return false;
        }
    }

    private void read(String name, String path, Seen file) throws IOException {
        byte[] content;
        try {
            content = Files.readAllBytes(folder.resolve(name));
        } catch (NoSuchFileException e) {
            return; // the next look sees that
        } catch (AccessDeniedException e) {
            report(
                    file,
                    "reading " + path + " failed: " + Printable.of(e.toString())
                            + "; permit the gateway's user to read it");
            return;
        }
        boolean plain = name.endsWith(".cfg");
        List<Finding> findings = TextCheck.findings(path, content, plain);
        boolean stays = target.owns(name) && findings.stream().anyMatch(Finding::error);
        report(
                file,
                name,
                findings.stream()
                        .map(finding -> finding.sentence() + (stays && finding.error() ? STAYS : ""))
                        .toList());
        Map<String, Object> settings;
        try {
            settings = plain ? FileSettings.ofLines(content) : FileSettings.ofTyped(content);
        } catch (IOException e) {
            report(
                    file,
                    "invalid syntax in " + path + ": expected lines NAME=TYPE\"VALUE\": " + Printable.of(e.getMessage())
                            + (target.owns(name) ? STAYS : ""));
            return;
        }
        if (!stays) {
            target.apply(name, settings);
        }
    }

    private List<String> settings(String name, Components known) {
        if (!name.endsWith(".cfg")) {
            return List.of();
        }
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
            report(
                    file,
                    findings.size() - shownFindings + " more findings in " + shown + "/" + Printable.of(name)
                            + ": expected settings, NAME = VALUE");
        }
    }

    private void report(Seen file, String finding) {
        if (file.reported.add(finding)) {
            log.accept(finding);
        }
    }
}
