// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.lang.foreign.Arena;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapShortageException;

/** Example of a client, as any bundle may contain one: it gets the broker, and does not depend on the test. */
final class StillCamera {
    private static final AllocationRequest FRAME =
            AllocationRequest.of(1 << 20).withHeaps("camera", "system").withName("frame");

    private final HeapBroker broker;

    StillCamera(HeapBroker broker) {
        this.broker = broker;
    }

    /** {@return a picture that the caller closes; empty if no memory is free} */
    Optional<DmaBuf> take() {
        DmaBuf frame;
        try {
            frame = broker.allocate(FRAME);
        } catch (HeapShortageException e) {
            return Optional.empty();
        }
        try (Arena arena = Arena.ofConfined();
                CpuAccess _ = frame.beginCpuAccess(Access.WRITE)) {
            frame.map(Access.WRITE, arena).fill((byte) 16);
        }
        return Optional.of(frame);
    }
}
