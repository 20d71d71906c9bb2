// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;

/**
 * Output stream of a session's commands. Gogo wraps it in a PrintStream, which hides exceptions: a command that prints
 * endlessly would continue after its client is gone. This stream lets an exception through.
 */
final class CommandOutput extends OutputStream {
    private final OutputStream to;

    CommandOutput(OutputStream to) {
        this.to = to;
    }

    @Override
    public void write(int octet) {
        write(new byte[] {(byte) octet}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        try {
            to.write(bytes, offset, length);
            to.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
