// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.util.Map;
import org.dmabuf.heap.tck.Announced;

/** Configurations of the heap, with memfds unless another back end is named. */
final class Configs {
    private Configs() {}

    static SystemHeap.Config config(String name, int id, int priority) {
        return config(name, id, priority, "memfd");
    }

    static SystemHeap.Config config(String name, int id, int priority, String backend) {
        return config(name, id, priority, backend, "", "0");
    }

    static SystemHeap.Config config(String name, int id, int priority, String backend, String prewarm, String recycle) {
        return Announced.config(
                SystemHeap.Config.class,
                Map.of(
                        "heap_name", name,
                        "heap_id", id,
                        "heap_priority", priority,
                        "backend", backend,
                        "pool_prewarm", new String[] {prewarm},
                        "pool_recycle", recycle));
    }
}
