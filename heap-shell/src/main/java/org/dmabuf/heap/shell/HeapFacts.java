// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Locale;
import java.util.TreeMap;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;

/** Description of one heap for {@code dmaheap:info}, as lines of a key and a value. */
final class HeapFacts {
    private final Facts facts = new Facts();

    /** Writes down the heap's description. */
    HeapFacts(HeapInfo heap) {
        add("heap", heap.name());
        add(
                "state",
                heap.state().toString().toLowerCase(Locale.ROOT)
                        + heap.reason().map(sentence -> ": " + sentence).orElse(""));
        heap.plainRefusal().map(OptionWords::of).ifPresent(sentence -> add("plain request", "refused: " + sentence));
        add("bundle", heap.bundle());
        boolean dmabuf = Boolean.TRUE.equals(heap.properties().get(HeapProperties.DMABUF));
        add("descriptors", BufferInfo.descriptor(dmabuf));
        addFigures(heap);
        UsageRecord charged = heap.charged();
        add("live", Facts.count(charged.liveBuffers(), "buffer") + ", " + Facts.size(charged.liveBytes()));
        add(
                "lingering",
                Facts.count(charged.lingeringBuffers(), "buffer") + ", " + Facts.size(charged.lingeringBytes())
                        + (charged.lingeringBuffers() == 0 ? "" : ", closed here, but still held elsewhere"));
        new TreeMap<>(heap.properties()).forEach((key, value) -> {
            if (key.startsWith("heap.") && !key.equals(HeapProperties.NAME)) {
                add(key, PropertyValue.text(value));
            }
        });
    }

    private void addFigures(HeapInfo heap) {
        if (!heap.usageAge().isZero()) {
            add("usage", "no answer for " + Times.age(heap.usageAge()) + "; the figures below are older");
        }
        if (heap.state() != HeapState.SERVING && heap.state() != HeapState.HANGING) {
            return;
        }
        heap.usage().capacity().ifPresent(bytes -> add("capacity", Facts.size(bytes)));
        heap.usage().free().ifPresent(bytes -> add("free", Facts.size(bytes)));
        heap.usage().largestFree().ifPresent(bytes -> add("largest free", Facts.size(bytes)));
        for (PoolUsage pool : heap.usage().pools()) {
            add(
                    pool.name(),
                    Facts.size(pool.bytes()) + " kept ready, counted as free; served " + pool.hits() + " of "
                            + Facts.count(pool.hits() + pool.misses(), "request"));
        }
        heap.usage().fragmentation().ifPresent(share -> add("fragmentation", Math.round(100 * share) + " %"));
        heap.usage().quarantined().ifPresent(bytes -> add("quarantined", Facts.size(bytes)));
        heap.usage().inLargeFolios().ifPresent(bytes -> add("in large folios", Facts.size(bytes)));
    }

    private void add(String key, String value) {
        facts.add(key, value);
    }

    @Override
    public String toString() {
        return facts.toString();
    }
}
