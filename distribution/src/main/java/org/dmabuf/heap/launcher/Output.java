// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;

/**
 * Standard output that remembers a failure. A PrintStream hides it, so a command whose result went to a full disk would
 * seem to succeed.
 */
final class Output extends OutputStream {
    private final OutputStream to;
    private volatile IOException failure;

    Output(OutputStream to) {
        this.to = to;
    }

    @Override
    public void write(int octet) throws IOException {
        write(new byte[] {(byte) octet}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        try {
            to.write(bytes, offset, length);
        } catch (IOException e) {
            failure = e;
            throw e;
        }
    }

    /**
     * Checks the output after everything is written and flushed.
     *
     * @throws Failure if a write failed; a reader that closed its end early, like {@code head}, does not count as a
     *     failure
     */
    void requireWhole() throws Failure {
        IOException failed = failure;
        if (failed != null && !Sentence.of(failed).toLowerCase(Locale.ROOT).contains("pipe")) {
            throw Failure.of("writing the result to standard output failed: " + Sentence.of(failed), failed);
        }
    }
}
