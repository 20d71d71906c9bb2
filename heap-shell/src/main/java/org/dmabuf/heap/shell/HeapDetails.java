// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.AbstractList;
import java.util.List;
import org.dmabuf.heap.HeapInfo;

/** Heaps to be shown in full. In a script it is the list that it is. */
final class HeapDetails extends AbstractList<HeapInfo> {
    private final List<HeapInfo> heaps;

    HeapDetails(List<HeapInfo> heaps) {
        this.heaps = List.copyOf(heaps);
    }

    @Override
    public HeapInfo get(int index) {
        return heaps.get(index);
    }

    @Override
    public int size() {
        return heaps.size();
    }
}
