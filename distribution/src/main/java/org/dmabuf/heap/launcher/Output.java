// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;

/**
 * Standard output that remembers what went wrong with it. A PrintStream keeps that to itself, and a command whose
 * result went to a full disk would end as if all were well.
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
     * Asked when all is written and flushed.
     *
     * @throws Failure when something was not; a reader that had enough, as {@code head} has, is none
     */
    void requireWhole() throws Failure {
        IOException failed = failure;
        if (failed != null && !Sentence.of(failed).toLowerCase(Locale.ROOT).contains("pipe")) {
            throw Failure.of("standard output did not take all of the result: " + Sentence.of(failed), failed);
        }
    }
}
