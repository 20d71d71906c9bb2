// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The container's log from now on. The container writes it to standard output, which it looks up for each line. */
final class CapturedLog implements AutoCloseable {
    private final PrintStream output = System.out;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    CapturedLog() {
        System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    }

    /** {@return lines so far that contain a text} */
    List<String> lines(String text) {
        return bytes.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains(text))
                .toList();
    }

    @Override
    public void close() {
        System.setOut(output);
    }
}
