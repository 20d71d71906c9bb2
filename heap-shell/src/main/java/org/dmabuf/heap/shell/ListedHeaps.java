// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.AbstractList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.UsageRecord;

/** Heaps to be shown as a table, with the adopted memory below them. In a script it is the list of the heaps. */
final class ListedHeaps extends AbstractList<HeapInfo> {
    private final List<HeapInfo> heaps;
    private final Optional<UsageRecord> adopted;

    /**
     * A table.
     *
     * @param heaps in the order in which they are asked
     * @param adopted what is charged for adopted memory, empty where there is none
     */
    ListedHeaps(List<HeapInfo> heaps, Optional<UsageRecord> adopted) {
        this.heaps = List.copyOf(heaps);
        this.adopted = adopted;
    }

    /** {@return what is charged for adopted memory} */
    Optional<UsageRecord> adopted() {
        return adopted;
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
