// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import org.dmabuf.heap.gateway.control.wire.Frame;

/** Output stream that sends the bytes as frames of one type. */
final class FrameOutputStream extends OutputStream {
    private static final int SIZE = 8 << 10;

    private final Outbox outbox;
    private final Frame.Type type;
    private final byte[] buffer = new byte[SIZE];
    private int count;

    FrameOutputStream(Outbox outbox, Frame.Type type) {
        this.outbox = outbox;
        this.type = type;
    }

    @Override
    public synchronized void write(int octet) throws IOException {
        if (count == SIZE) {
            flush();
        }
        buffer[count++] = (byte) octet;
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
        int end = offset + length;
        for (int from = offset; from < end; ) {
            if (count == SIZE) {
                flush();
            }
            int part = Math.min(SIZE - count, end - from);
            System.arraycopy(bytes, from, buffer, count, part);
            count += part;
            from += part;
        }
    }

    @Override
    public synchronized void flush() throws IOException {
        if (count > 0) {
            byte[] payload = Arrays.copyOf(buffer, count);
            count = 0; // also after a failure, so that no byte is sent twice
            outbox.send(new Frame(type, payload));
        }
    }
}
