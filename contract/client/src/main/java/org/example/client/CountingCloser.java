// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.OwnedFd;

/** Closer that only records its calls. One thread at a time uses it. */
final class CountingCloser implements OwnedFd.Closer {
    private final List<Integer> closed = new ArrayList<>();
    private final List<Integer> detached = new ArrayList<>();

    @Override
    public void close(int number) {
        closed.add(number);
    }

    @Override
    public void detached(int number) {
        detached.add(number);
    }

    List<Integer> closed() {
        return closed;
    }

    List<Integer> detached() {
        return detached;
    }
}
