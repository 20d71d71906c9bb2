// SPDX-License-Identifier: Apache-2.0
package org.example.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.annotation.Annotation;
import java.lang.reflect.Proxy;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;

/** What the heap does on a machine without its node; with one it runs in the guest of kernel/run. */
class NodeHeapTest {
    /** Registering is the only thing that the heap would ask of it. */
    private final BundleContext context = (BundleContext) Proxy.newProxyInstance(
            BundleContext.class.getClassLoader(), new Class<?>[] {BundleContext.class}, (_, method, _) -> {
                throw new AssertionError("a heap without memory calls " + method.getName());
            });

    private HeapException refusal(String node, String name) {
        return assertThrows(HeapException.class, () -> new NodeHeap(context, config(node, name), Map.of()));
    }

    private static NodeHeap.Config config(String node, String name) {
        return new NodeHeap.Config() {
            @Override
            public String node() {
                return node;
            }

            @Override
            public String heap_name() {
                return name;
            }

            @Override
            public int heap_id() {
                return 41;
            }

            @Override
            public int heap_priority() {
                return -10;
            }

            @Override
            public Class<? extends Annotation> annotationType() {
                return NodeHeap.Config.class;
            }
        };
    }

    @Test
    void a_node_that_is_not_there_is_refused_with_its_path_and_what_to_do() {
        HeapException refusal = refusal("no-such-node", "camera");
        assertEquals(Errno.ENOENT, refusal.errno());
        assertEquals("camera", refusal.heap());
        assertEquals(
                "heap 'camera': open(/dev/dma_heap/no-such-node) failed: " + Errno.ENOENT.meaning()
                        + "; take a kernel that has this heap (CONFIG_DMABUF_HEAPS), and give a container the node",
                refusal.getMessage());
    }

    @Test
    void without_a_name_the_heap_is_called_as_its_node() {
        assertEquals("no-such-node", refusal("no-such-node", "").heap());
    }

    @Test
    void a_heap_that_is_not_configured_is_refused_with_the_file_to_write() {
        HeapException refusal = refusal("", "");
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "no node is configured; set node in etc/org.example.node.cfg to a name below /dev/dma_heap/",
                refusal.getMessage());
    }

    @Test
    void a_path_is_no_node() {
        assertEquals(Errno.EINVAL, refusal("../null", "camera").errno());
    }
}
