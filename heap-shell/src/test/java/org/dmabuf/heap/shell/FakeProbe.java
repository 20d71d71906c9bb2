// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.ProbeOutcome;

/** Probe of one device that accepts every buffer for which a test sets no other answer. */
final class FakeProbe implements DeviceProbe {
    private final String device;
    private final long size;
    private final Map<String, ProbeOutcome> answers = new HashMap<>();
    private int open;
    private int remembered;
    private HeapException failure;

    FakeProbe(String device, long size) {
        this.device = device;
        this.size = size;
    }

    FakeProbe answering(String heap, ProbeOutcome answer) {
        answers.put(heap, answer);
        return this;
    }

    FakeProbe failing(HeapException thrown) {
        failure = thrown;
        return this;
    }

    void requireClosed() {
        assertEquals(0, open, "open trials");
    }

    @Override
    public Optional<Trial> begin(String asked) {
        if (!asked.equals(device)) {
            return Optional.empty();
        }
        if (failure != null) {
            throw failure;
        }
        open++;
        return Optional.of(new Trial() {
            @Override
            public long size() {
                return size;
            }

            @Override
            public String format() {
                return "640x480 YUYV";
            }

            @Override
            public ProbeOutcome attach(DmaBuf buffer) {
                assertTrue(buffer.size() >= size);
                remembered++;
                return answers.getOrDefault(buffer.heapName(), ProbeOutcome.accepted(true));
            }

            @Override
            public void close() {
                open--;
            }
        });
    }

    @Override
    public int forget(String asked) {
        int forgotten = asked.equals(device) ? remembered : 0;
        remembered -= forgotten;
        return forgotten;
    }
}
