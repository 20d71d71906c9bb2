// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.concurrent.atomic.LongAdder;

/** Counts of the calls of one client. Any thread may count. */
final class Counters {
    /** Buffers that the client got. */
    final LongAdder allocated = new LongAdder();
    /** Allocations that ended with an error. */
    final LongAdder refused = new LongAdder();
    /** Calls that a signal or the end of their task ended before the answer. The client got nothing. */
    final LongAdder vanished = new LongAdder();
    /** Vanished calls whose descriptor was in the client already. No other process can close it. */
    final LongAdder left = new LongAdder();

    @Override
    public String toString() {
        return "buffers: " + allocated + ", refusals: " + refused + ", calls that ended before their answer: "
                + vanished + ", descriptors that such calls left in the client: " + left;
    }
}
