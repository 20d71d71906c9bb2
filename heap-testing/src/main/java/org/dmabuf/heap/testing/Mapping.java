// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;

/** Open mapping. Without native access Java does not report the end of an arena, so the mapping polls the arena. */
final class Mapping extends Use {
    /**
     * Null until the memory is mapped. The reference is weak, because an automatic arena ends when no segment of it is
     * reachable.
     */
    private volatile WeakReference<MemorySegment.Scope> arena;

    Mapping(Memory memory, ClientBroker client) {
        super("mapping", memory, client);
    }

    void mapped(MemorySegment segment) {
        arena = new WeakReference<>(segment.scope());
    }

    @Override
    boolean hasLapsed() {
        WeakReference<MemorySegment.Scope> known = arena;
        if (known == null) {
            return false;
        }
        MemorySegment.Scope scope = known.get();
        return scope == null || !scope.isAlive();
    }

    /** Mappings stay valid until their arenas end, also when the client has stopped. */
    @Override
    void takeBack() {}
}
