// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import org.dmabuf.heap.gateway.control.wire.Frame;

/** Sender of standard input to the gateway. It reads only as many bytes as the gateway has granted. */
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

    /** Adds to the number of bytes that the gateway accepts. */
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
            // the receiving thread reports the state of the connection
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Reads standard input. A closed input or a terminal that is gone fails; both count as the end of the input. */
    private int read(byte[] bytes) throws InterruptedException {
        int most = take();
        try {
            return in.read(bytes, 0, most);
        } catch (IOException e) {
            return -1;
        }
    }

    /** Sends the bytes that were read. Bytes that are not sent as input do not count against the grant. */
    void send(byte[] bytes) throws IOException {
        taken(bytes.length);
        conversation.send(new Frame(Frame.Type.INPUT, bytes));
    }
}
