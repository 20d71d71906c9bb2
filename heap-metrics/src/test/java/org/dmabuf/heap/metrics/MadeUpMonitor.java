// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;

/** Monitor whose figures a test sets. */
final class MadeUpMonitor implements HeapMonitor {
    List<HeapInfo> heaps = List.of();
    List<UsageRecord> byHeap = List.of();
    List<UsageRecord> byClient = List.of();
    List<UsageRecord> byClientAndHeap = List.of();
    Optional<Duration> stall = Optional.empty();
    boolean fails;
    boolean timed;

    @Override
    public List<UsageRecord> usageByHeap() {
        return byHeap;
    }

    @Override
    public List<UsageRecord> usageByClient() {
        return byClient;
    }

    @Override
    public List<UsageRecord> usageByClientAndHeap() {
        return byClientAndHeap;
    }

    @Override
    public List<BufferRecord> buffers() {
        return List.of();
    }

    @Override
    public List<HeapInfo> heaps() {
        if (fails) {
            throw new IllegalStateException("the test lets it fail");
        }
        return heaps;
    }

    @Override
    public Optional<Duration> memoryStall() {
        return stall;
    }

    @Override
    public void timeAllocations() {
        timed = true;
    }

    @Override
    public void ping() {
        throw new AssertionError("metrics do not ping");
    }

    @Override
    public void resetPeaks() {
        throw new AssertionError("metrics reset no peaks");
    }
}
