// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.nio.charset.StandardCharsets;

/**
 * Name of a native client's buffer in listings: the client's name for it, with the process that requested it. So a
 * dump shows the process of each buffer.
 */
final class BufferName {
    private static final int MOST_BYTES = 31;

    private BufferName() {}

    /**
     * Returns {@code NAME@PID}, or {@code pid PID} without a name. A name that leaves no space for the number is cut.
     *
     * @param name name of the buffer, can be empty
     * @param pid thread group, 0 if it is unknown
     */
    static String of(String name, int pid) {
        if (pid == 0) {
            return name;
        }
        if (name.isEmpty()) {
            return "pid " + Integer.toUnsignedString(pid);
        }
        String process = "@" + Integer.toUnsignedString(pid);
        String shown = name;
        while ((shown + process).getBytes(StandardCharsets.UTF_8).length > MOST_BYTES) {
            shown = shown.substring(0, shown.offsetByCodePoints(shown.length(), -1));
        }
        return shown + process;
    }
}
