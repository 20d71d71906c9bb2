// SPDX-License-Identifier: Apache-2.0
package org.example.waiting;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WaitingTest {
    private final InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 1 << 20));

    @AfterEach
    void everything_is_given_back() {
        broker.requireNothingOpen();
        broker.close();
    }

    private DmaBuf written(String text) {
        DmaBuf buffer = broker.allocate(AllocationRequest.of(64));
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
            buffer.map(Access.WRITE, arena).setString(0, text);
        }
        return buffer;
    }

    @Test
    void the_text_stays_readable_after_the_publication_has_ended() {
        Waiting waiting;
        try (DmaBuf buffer = written("a text");
                Publication _ = broker.publish(buffer, "hello")) {
            waiting = new Waiting(broker.published("hello").orElseThrow());
        }
        assertEquals("a text", waiting.text());
        waiting.stop();
    }

    @Test
    void a_publication_that_has_ended_starts_nothing() {
        PublishedBuffer published;
        try (DmaBuf buffer = written("a text");
                Publication _ = broker.publish(buffer, "hello")) {
            published = broker.published("hello").orElseThrow();
        }
        assertThrows(IllegalStateException.class, () -> new Waiting(published));
    }
}
