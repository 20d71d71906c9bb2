// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;

/**
 * What the commands of a session print to. Gogo puts a PrintStream before it, which keeps an exception to itself: a
 * command that prints without end would go on when its client is gone. It lets this one through.
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
