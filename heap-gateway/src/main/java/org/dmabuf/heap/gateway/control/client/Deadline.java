// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.IOException;
import java.nio.channels.Channel;
import java.time.Duration;

/** Closes a channel that is not done in time. A call that blocks on it then fails. */
final class Deadline implements AutoCloseable {
    private final Thread thread;

    Deadline(Channel channel, Duration patience) {
        thread = new Thread(
                () -> {
                    try {
                        Thread.sleep(patience);
                        channel.close();
                    } catch (InterruptedException e) {
                        // it is done
                    } catch (IOException e) {
                        // a call that blocks has failed all the same
                    }
                },
                "deadline");
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
