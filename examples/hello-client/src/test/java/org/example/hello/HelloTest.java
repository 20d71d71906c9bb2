// SPDX-License-Identifier: Apache-2.0
package org.example.hello;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.osgi.service.condition.Condition;

/** Example of a client's unit test with the in-memory broker, for any system. */
class HelloTest {
    private final InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 1 << 20));

    @AfterEach
    void everything_is_given_back() {
        broker.requireNothingOpen();
        broker.close();
    }

    @Test
    void the_text_is_published() {
        Hello hello = new Hello(broker, Condition.INSTANCE);
        try (DmaBuf buffer = broker.published(Hello.NAME).orElseThrow().open();
                Arena arena = Arena.ofConfined()) {
            assertEquals(Hello.TEXT, buffer.map(Access.READ, arena).getString(0));
        }
        hello.stop();
    }

    @Test
    void without_memory_it_does_not_start() {
        broker.failNext(HeapException.of(Errno.ENOMEM, "system", "no memory is left; close buffers"));
        assertThrows(HeapShortageException.class, () -> new Hello(broker, Condition.INSTANCE));
    }
}
