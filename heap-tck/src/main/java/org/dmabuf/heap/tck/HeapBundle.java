// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.spi.HeapExporter;

/** Bundle of the heap under test: its life cycle, its present service, and the broker that routes requests to it. */
interface HeapBundle {
    /** {@return why the bundle cannot be stopped and started; empty if it can} */
    Optional<String> unlessRestartable();

    /** {@return why the bundle cannot be updated; empty if it can} */
    Optional<String> unlessUpdatable();

    void stop() throws Exception;

    /** Starts the bundle, unless it runs. */
    void start() throws Exception;

    /** Updates the bundle with its own content, and frees its former classes if no other bundle uses them. */
    void update() throws Exception;

    /** {@return whether the heap's service is registered} */
    boolean serves();

    /** Waits for the heap's service. The object stays callable after the service has gone. */
    HeapExporter exporter();

    /** Waits for the heap's service, and returns its properties. */
    Map<String, Object> properties();

    Optional<HeapBroker> broker();
}
