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
 * Queue of frames to the client, written by one thread. If a command wrote to the channel itself, an interrupt of the
 * command would close the channel.
 */
final class Outbox {
    /** Limit of waiting frames. */
    private static final int MAX_WAITING = 16;

    private final WritableByteChannel channel;
    private final Deque<ByteBuffer> waiting = new ArrayDeque<>();
    private boolean ended;
    private IOException failure;

    Outbox(WritableByteChannel channel) {
        this.channel = channel;
    }

    /** Sends a frame. Waits while the limit of waiting frames is reached. */
    synchronized void send(Frame frame) throws IOException {
        while (waiting.size() >= MAX_WAITING && failure == null && !ended) {
            await();
        }
        requireOpen();
        waiting.add(frame.encoded());
        notifyAll();
    }

    /** Ends the queue: {@link #run()} sends the waiting frames and then returns. */
    synchronized void end() {
        ended = true;
        notifyAll();
    }

    /** Drops the waiting frames. Threads that send get an exception. */
    synchronized void fail(IOException reason) {
        if (failure == null) {
            failure = reason;
        }
        ended = true;
        waiting.clear();
        notifyAll();
    }

    /** Writes frames until the queue ends. */
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
                return; // the failure has the more precise reason
            }
            throw new InterruptedIOException("the wait for the client was interrupted");
        }
    }
}
