// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.IOException;
import java.nio.channels.Channel;
import java.time.Duration;

/** Time limit for work on a channel. It closes the channel when it expires, so that a blocked call fails. */
final class Deadline implements AutoCloseable {
    private final Thread thread;

    Deadline(Channel channel, Duration patience) {
        thread = new Thread(
                () -> {
                    try {
                        Thread.sleep(patience);
                        channel.close();
                    } catch (InterruptedException e) {
                        // the work is done
                    } catch (IOException e) {
                        // a blocked call has failed all the same
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
