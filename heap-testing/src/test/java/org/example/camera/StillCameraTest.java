// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Example of a client's test, which docs/using-buffers.md shows. */
class StillCameraTest {
    private final InMemoryBroker broker =
            InMemoryBroker.of(InMemoryHeap.of("camera", 1 << 20), InMemoryHeap.of("system", 8 << 20));
    private final StillCamera camera = new StillCamera(broker);

    @AfterEach
    void everythingIsGivenBack() {
        broker.requireNothingOpen();
        broker.close();
    }

    @Test
    void a_second_picture_comes_from_the_system_heap() {
        try (DmaBuf first = camera.take().orElseThrow();
                DmaBuf second = camera.take().orElseThrow()) {
            assertEquals("camera", first.heapName());
            assertEquals("system", second.heapName());
        }
    }

    @Test
    void without_memory_there_is_no_picture() {
        broker.failNext(HeapException.of(Errno.ENOMEM, "system", "no memory is left; close buffers"));
        assertTrue(camera.take().isEmpty());
    }
}
