// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Standard error whose reader is systemd's journal. Each log line begins with the number of its level, which the
 * journal removes and filters by: {@code journalctl --priority=warning}.
 */
final class JournalStream extends PrintStream {
    /** Priorities of the levels, without INFO, which is the journal's default. */
    private static final Map<String, String> PRIORITIES =
            Map.of("ERROR", "<3>", "WARN", "<4>", "DEBUG", "<7>", "TRACE", "<7>");

    /** Wraps a stream. */
    JournalStream(OutputStream err) {
        super(err, true);
    }

    /**
     * {@return the stream for log lines of this process}
     *
     * @param err standard error
     * @param journal value of JOURNAL_STREAM, or null: the device and the inode of the journal's socket. Programs that
     *     a service starts inherit it, with another standard error or not.
     */
    static PrintStream of(PrintStream err, String journal) {
        return journal != null && journal.equals(identity(Path.of("/proc/self/fd/2"))) ? new JournalStream(err) : err;
    }

    /** {@return device and inode of a file, or the empty text if they cannot be read} */
    static String identity(Path file) {
        try {
            return Files.getAttribute(file, "unix:dev") + ":" + Files.getAttribute(file, "unix:ino");
        } catch (IOException e) {
            return ""; // no /proc: the lines have no priority
        }
    }

    @Override
    public void println(String line) {
        String text = String.valueOf(line); // a bundle may print null
        int end = text.indexOf(' ');
        super.println(PRIORITIES.getOrDefault(end < 0 ? text : text.substring(0, end), "") + text);
    }
}
