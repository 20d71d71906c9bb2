// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import org.dmabuf.heap.gateway.control.wire.Frame;

/**
 * Sender of typed keys. Ctrl-C is sent as a signal and overtakes keys that were typed before and are still unread.
 * Ctrl-\ leaves, even if the gateway does not react.
 */
final class KeyForwarder extends InputForwarder {
    private static final int CTRL_C = 3;
    private static final int CTRL_BACKSLASH = 28;

    private final Conversation conversation;
    private volatile boolean left;

    KeyForwarder(InputStream in, Conversation conversation) {
        super(in, conversation);
        this.conversation = conversation;
    }

    @Override
    void send(byte[] bytes) throws IOException {
        ByteArrayOutputStream keys = new ByteArrayOutputStream(bytes.length);
        for (byte key : bytes) {
            if (key == CTRL_C) {
                sendKeys(keys);
                conversation.send(Frame.of(Frame.Type.SIGNAL, "INT"));
            } else if (key == CTRL_BACKSLASH) {
                left = true;
                conversation.close();
            } else {
                keys.write(key);
            }
        }
        sendKeys(keys);
    }

    /** {@return whether the user has left by Ctrl-\} */
    boolean left() {
        return left;
    }

    private void sendKeys(ByteArrayOutputStream keys) throws IOException {
        if (keys.size() > 0) {
            super.send(keys.toByteArray());
            keys.reset();
        }
    }
}
