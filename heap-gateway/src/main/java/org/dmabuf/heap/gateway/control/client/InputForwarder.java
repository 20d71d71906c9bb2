// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import org.dmabuf.heap.gateway.control.wire.Frame;

/** Sends standard input to the gateway, as much as the gateway takes. Nothing is read before it takes any. */
class InputForwarder {
    private static final int PIECE = 8 << 10;

    private final InputStream in;
    private final Conversation conversation;
    private boolean started;
    private int granted;

    InputForwarder(InputStream in, Conversation conversation) {
        this.in = in;
        this.conversation = conversation;
    }

    /** The gateway takes so many more bytes. */
    final synchronized void grant(int bytes) {
        granted += bytes;
        notifyAll();
        if (!started) {
            started = true;
            Thread thread = new Thread(this::run, "input");
            thread.setDaemon(true);
            thread.start();
        }
    }

    private synchronized int take() throws InterruptedException {
        while (granted == 0) {
            wait();
        }
        return Math.min(granted, PIECE);
    }

    private synchronized void taken(int bytes) {
        granted -= bytes;
    }

    private void run() {
        try {
            byte[] bytes = new byte[PIECE];
            for (int count = read(bytes); count >= 0; count = read(bytes)) {
                send(Arrays.copyOf(bytes, count));
            }
            conversation.send(new Frame(Frame.Type.INPUT, new byte[0]));
        } catch (IOException e) {
            // the thread that receives reports what became of the connection
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A terminal that is gone fails, and a standard input that was closed. There is no more of it either way. */
    private int read(byte[] bytes) throws InterruptedException {
        int most = take();
        try {
            return in.read(bytes, 0, most);
        } catch (IOException e) {
            return -1;
        }
    }

    /** Sends what was read. What does not go as input uses up nothing of what the gateway takes. */
    void send(byte[] bytes) throws IOException {
        taken(bytes.length);
        conversation.send(new Frame(Frame.Type.INPUT, bytes));
    }
}
