// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.ref.ReferenceQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds buffers that their clients have lost, which is when the garbage collector does, and has them released. */
final class Leaks {
    private static final Logger LOG = LoggerFactory.getLogger(Leaks.class);

    private final ReferenceQueue<Object> lost = new ReferenceQueue<>();
    /** Inherits nothing: whoever activates the broker may do so on a vendor's class loader. */
    private final Thread thread = Thread.ofPlatform()
            .name("dmaheap-leaks")
            .daemon()
            .inheritInheritableThreadLocals(false)
            .unstarted(this::run);

    private volatile boolean stopped;

    /** Nothing is found before. */
    void start() {
        thread.start();
    }

    /** What is lost from now on is found when the client's bundle stops. */
    void stop() {
        stopped = true; // an interrupt alone may be lost in a log that waits
        thread.interrupt();
    }

    /** {@return where to make known what is lost} */
    ReferenceQueue<Object> lost() {
        return lost;
    }

    private void run() {
        while (!stopped) {
            try {
                ((Claim) lost.remove()).lost();
            } catch (InterruptedException e) {
                // It is told to stop, or a log that was interrupted passed it on.
            } catch (Throwable e) { // what is lost after it is others'
                LOG.error("a buffer that was lost could not be told of", e);
            }
        }
    }
}
