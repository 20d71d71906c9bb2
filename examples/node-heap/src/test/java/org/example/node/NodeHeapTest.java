// SPDX-License-Identifier: Apache-2.0
package org.example.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.annotation.Annotation;
import java.lang.reflect.Proxy;
import java.util.Dictionary;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;

/** Tests of the heap on a machine without its node. The guest of kernel/run tests it with a node. */
class NodeHeapTest {
    private static final String EXPECTED = "expected the name of a node below /dev/dma_heap/";

    /** Properties of the services that the heap has registered, by the type of the service. */
    private final Map<Class<?>, Map<String, Object>> registered = new HashMap<>();

    /** Context that supports only registrations, which is all that the heap needs. */
    private final BundleContext context = proxy(BundleContext.class, (method, arguments) -> {
        assertEquals("registerService", method);
        Class<?> type = (Class<?>) arguments[0];
        registered.put(type, FrameworkUtil.asMap(properties(arguments[2])));
        return proxy(ServiceRegistration.class, (end, none) -> registered.remove(type));
    });

    private interface Calls {
        Object call(String method, Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, Calls calls) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (_, method, arguments) -> calls.call(method.getName(), arguments)));
    }

    @SuppressWarnings("unchecked") // what services are registered with
    private static Dictionary<String, Object> properties(Object given) {
        return (Dictionary<String, Object>) given;
    }

    /**
     * Starts a heap. It must be listed with a reason instead of being announced, and must disappear when it is stopped.
     */
    private Map<String, Object> listed(String node, String name, boolean retried) {
        NodeHeap heap = new NodeHeap(context, config(node, name), Map.of("service.pid", NodeHeap.PID + "~front"));
        assertEquals(Set.of(UnavailableHeap.class), registered.keySet());
        Map<String, Object> listed = Map.copyOf(registered.get(UnavailableHeap.class));
        heap.withdraw();
        assertEquals(Map.of(), registered);
        assertEquals(retried, listed.get(UnavailableHeap.RETRIED));
        assertEquals("org.example.node~front", listed.get(UnavailableHeap.PID));
        return listed;
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
    void a_node_that_is_not_there_is_listed_with_its_path_and_what_to_do() {
        Map<String, Object> listed = listed("no-such-node", "camera", true);
        assertEquals("camera", listed.get(HeapProperties.NAME));
        assertEquals(
                "open(/dev/dma_heap/no-such-node) failed: " + Errno.ENOENT.meaning()
                        + "; load its module, or take a kernel that has this heap (CONFIG_DMABUF_HEAPS), and give a"
                        + " container the node (--device=/dev/dma_heap/no-such-node)",
                listed.get(UnavailableHeap.REASON));
    }

    @Test
    void without_a_name_the_heap_is_called_as_its_node() {
        assertEquals("no-such-node", listed("no-such-node", "", true).get(HeapProperties.NAME));
    }

    @Test
    void a_heap_that_is_not_configured_is_listed_with_the_setting_that_it_lacks() {
        Map<String, Object> listed = listed("", "", false);
        assertEquals("front", listed.get(HeapProperties.NAME));
        assertEquals("missing node in org.example.node~front: " + EXPECTED, listed.get(UnavailableHeap.REASON));
    }

    @Test
    void a_path_is_no_node() {
        String reason =
                listed("../null", "camera", false).get(UnavailableHeap.REASON).toString();
        assertTrue(reason.startsWith("invalid node = ../null in org.example.node~front: "), reason);
    }
}
