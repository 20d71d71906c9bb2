// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;

/** What a request of the shell lacks that names a heap and asks for nothing else. */
final class PlainRequest {
    private PlainRequest() {}

    /** {@return what is lacking, for a person; empty for a heap that serves it, and for one that does not serve} */
    static Optional<String> lacks(HeapInfo heap) {
        if (heap.state() != HeapState.SERVING && heap.state() != HeapState.HANGING) {
            return Optional.empty();
        }
        List<String> lacking = new ArrayList<>();
        String emulates = PropertyValue.text(heap.properties().get(HeapProperties.EMULATES));
        if (!emulates.isEmpty()) {
            lacking.add("a request needs --emulated " + emulates);
        }
        if (Boolean.TRUE.equals(heap.properties().get(HeapProperties.RESTRICTED))) {
            lacking.add("a client needs an allow line in etc/org.dmabuf.heap.broker.cfg,"
                    + " this shell one for org.dmabuf.heap.shell");
        }
        return lacking.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", lacking));
    }
}
