// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The kernel's figures of a dma-buf.
 *
 * @param inode inode number
 * @param size bytes
 * @param count descriptors, mappings, messages under way and importers that hold it
 * @param exporter the kernel code that made it
 * @param name given by any holder, so it can contain any character; empty without one
 */
record DmaBufFacts(long inode, long size, long count, String exporter, String name) {
    /** Only the kernel's code of dma-bufs writes these lines. The name, in which a holder can forge lines, is last. */
    private static final Pattern FDINFO = Pattern.compile(
            "(?:[a-z_]+:\t[0-9]+\n)*?ino:\t([0-9]+)\n(?:[a-z_]+:\t[0-9]+\n)*?size:\t([0-9]+)\ncount:\t([0-9]+)\n"
                    + "exp_name:\t([^\n]*)\n(?:name:\t(.*)\n)?",
            Pattern.DOTALL);
    /** A name has at most 31 bytes, so a holder cannot forge such a line in it. */
    private static final Pattern BUFINFO =
            Pattern.compile("([0-9]{8,})\t[0-9a-f]{8}\t[0-9a-f]{8}\t([0-9]{8,})\t([^\t]*)\t([0-9]{8,})\t?(.*)");

    private static final String NO_NAME = "<none>";

    /** {@return the figures in a text of fdinfo, one character a byte; empty for a file that is no dma-buf} */
    static Optional<DmaBufFacts> ofFdinfo(String text) {
        Matcher found = FDINFO.matcher(text);
        return found.matches() ? of(found, 1, 2, 3, 4, 5) : Optional.empty();
    }

    /** {@return the figures in a line of debugfs, one character a byte; empty for a line about anything else} */
    static Optional<DmaBufFacts> ofBufinfo(String line) {
        Matcher found = BUFINFO.matcher(line);
        return found.matches() ? of(found, 4, 1, 2, 3, 5) : Optional.empty();
    }

    private static Optional<DmaBufFacts> of(Matcher found, int inode, int size, int count, int exporter, int name) {
        try {
            String given = found.group(name) == null || found.group(name).equals(NO_NAME) ? "" : found.group(name);
            return Optional.of(new DmaBufFacts(
                    Long.parseLong(found.group(inode)),
                    Long.parseLong(found.group(size)),
                    Long.parseLong(found.group(count)),
                    found.group(exporter),
                    new String(given.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8)));
        } catch (NumberFormatException e) {
            return Optional.empty(); // more digits than the kernel writes
        }
    }
}
