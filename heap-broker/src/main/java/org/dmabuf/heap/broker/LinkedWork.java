// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

/** Work with its link in the queue. */
abstract class LinkedWork implements Work {
    private Work behind;

    @Override
    public final Work next() {
        return behind;
    }

    @Override
    public final void next(Work work) {
        behind = work;
    }
}
