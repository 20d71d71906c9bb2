// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import org.dmabuf.heap.gateway.control.wire.Frame;

/**
 * Frames on their way to the client. One thread of its own writes them: an interrupt of a command, which may come at
 * any time, would close a channel that the command writes to itself.
 */
final class Outbox {
    /** More than this waits for the client. */
    private static final int MAX_WAITING = 16;

    private final WritableByteChannel channel;
    private final Deque<ByteBuffer> waiting = new ArrayDeque<>();
    private boolean ended;
    private IOException failure;

    Outbox(WritableByteChannel channel) {
        this.channel = channel;
    }

    /** Sends a frame, and waits while too many wait for the client. */
    synchronized void send(Frame frame) throws IOException {
        while (waiting.size() >= MAX_WAITING && failure == null && !ended) {
            await();
        }
        requireOpen();
        waiting.add(frame.encoded());
        notifyAll();
    }

    /** Sends what waits and nothing else; {@link #run()} then returns. */
    synchronized void end() {
        ended = true;
        notifyAll();
    }

    /** Drops what waits. Threads that send get an exception. */
    synchronized void fail(IOException reason) {
        if (failure == null) {
            failure = reason;
        }
        ended = true;
        waiting.clear();
        notifyAll();
    }

    /** Writes until the end. */
    void run() {
        try {
            for (ByteBuffer next = next(); next != null; next = next()) {
                while (next.hasRemaining()) {
                    channel.write(next);
                }
            }
        } catch (IOException e) {
            fail(e);
        }
    }

    private synchronized ByteBuffer next() throws IOException {
        while (waiting.isEmpty() && !ended) {
            await();
        }
        ByteBuffer next = waiting.poll();
        notifyAll();
        return next;
    }

    private void requireOpen() throws IOException {
        if (failure != null) {
            throw new IOException("the client is gone", failure);
        }
        if (ended) {
            throw new IOException("the session has ended");
        }
    }

    private void await() throws InterruptedIOException {
        try {
            wait();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            if (failure != null) {
                return; // the failure says more
            }
            throw new InterruptedIOException("interrupted while it waited for the client");
        }
    }
}
