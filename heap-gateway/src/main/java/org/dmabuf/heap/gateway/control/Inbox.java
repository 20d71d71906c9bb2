// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.util.Objects;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.MalformedFrameException;

/**
 * Standard input of a command, fed by the client. The client sends at most what it was granted. So the thread that
 * receives frames never waits for a reader, and sees signals and a hang-up at once. The first grant is sent at the
 * first read, so a command that reads no input leaves the input to the client's caller.
 */
final class Inbox extends InputStream {
    private static final int SIZE = 64 << 10;

    private final Outbox outbox;
    private final byte[] ring = new byte[SIZE];
    private int first;
    private int count;
    private int granted;
    private boolean ended;

    Inbox(Outbox outbox) {
        this.outbox = outbox;
    }

    /** Accepts input from the client. */
    synchronized void put(byte[] bytes) throws MalformedFrameException {
        if (bytes.length == 0) {
            end();
            return;
        }
        if (bytes.length > granted) {
            throw new MalformedFrameException(
                    "invalid length of INPUT = " + bytes.length + ": expected at most " + granted + ", as granted");
        }
        granted -= bytes.length;
        for (byte octet : bytes) {
            ring[(first + count++) % SIZE] = octet;
        }
        notifyAll();
    }

    /** Drops the input that is not read yet. */
    synchronized void discard() {
        count = 0;
    }

    synchronized void end() {
        ended = true;
        notifyAll();
    }

    /** Grants the client the free room, if that is worth a frame. */
    private void grant() throws IOException {
        int more = SIZE - count - granted;
        if (more >= SIZE / 2 && !ended) {
            outbox.send(Frame.of(Frame.Type.WINDOW, more));
            granted += more;
        }
    }

    @Override
    public int read() throws IOException {
        byte[] octet = new byte[1];
        return read(octet, 0, 1) < 0 ? -1 : octet[0] & 0xFF;
    }

    @Override
    public synchronized int read(byte[] bytes, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, bytes.length);
        if (length == 0) {
            return 0;
        }
        while (count == 0 && !ended) {
            grant();
            try {
                wait();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("the wait for input was interrupted");
            }
        }
        if (count == 0) {
            return -1;
        }
        int taken = Math.min(length, count);
        for (int i = 0; i < taken; i++) {
            bytes[offset + i] = ring[(first + i) % SIZE];
        }
        first = (first + taken) % SIZE;
        count -= taken;
        return taken;
    }

    @Override
    public synchronized int available() {
        return count;
    }
}
