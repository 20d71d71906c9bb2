// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.concurrent.atomic.AtomicLong;

/** What one heap, known by its name, has out. It outlives the heap, for as long as buffers of it live. */
final class Account {
    private final AtomicLong buffers = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();

    void charge(long size) {
        buffers.incrementAndGet();
        bytes.addAndGet(size);
    }

    void uncharge(long size) {
        bytes.addAndGet(-size);
        buffers.decrementAndGet();
    }

    /** {@return buffers that are referenced or mapped} */
    long buffers() {
        return buffers.get();
    }

    /** {@return bytes in them} */
    long bytes() {
        return bytes.get();
    }
}
