// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;

/** Finds buffers that their clients have lost, which is when the garbage collector does, and has them released. */
final class Leaks {
    private final ReferenceQueue<Object> lost = new ReferenceQueue<>();
    /** Inherits nothing: whoever activates the broker may do so on a vendor's class loader. */
    private final Thread thread = Thread.ofPlatform()
            .name("dmaheap-leaks")
            .daemon()
            .inheritInheritableThreadLocals(false)
            .unstarted(this::run);

    /** Nothing is found before. */
    void start() {
        thread.start();
    }

    /** What is lost from now on is found when the client's bundle stops. */
    void stop() {
        thread.interrupt();
    }

    /** {@return where to make known what is lost} */
    ReferenceQueue<Object> lost() {
        return lost;
    }

    private void run() {
        while (true) {
            Reference<?> found;
            try {
                found = lost.remove();
            } catch (InterruptedException e) {
                return;
            }
            ((Claim) found).lost();
        }
    }
}
