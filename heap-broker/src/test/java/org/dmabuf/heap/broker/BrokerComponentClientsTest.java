// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.Publication;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceReference;

/** Tests of bundles that get the broker and stop, in order or not. */
class BrokerComponentClientsTest extends BrokerInFramework {
    @Test
    void each_bundle_has_its_own_broker_however_often_it_gets_and_ungets_it() {
        heap("system", new FakeHeap());
        BundleContext context = camera.getBundleContext();
        ServiceReference<HeapBroker> reference = context.getServiceReference(HeapBroker.class);
        assertEquals(Constants.SCOPE_BUNDLE, reference.getProperty(Constants.SERVICE_SCOPE));
        HeapBroker own = context.getService(reference);
        assertNotSame(own, brokerOf(display));
        DmaBuf buffer = own.allocate(REQUEST);
        context.ungetService(reference);
        assertSame(own, context.getService(reference));
        buffer.newReference().close();
    }

    @Test
    void a_stopped_bundles_buffers_are_taken_back_and_a_running_bundles_buffers_work() throws Exception {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        HeapBroker own = brokerOf(display);
        DmaBuf buffer = own.allocate(REQUEST);
        display.stop();
        assertTrue(exporter.memory().released());
        assertThrows(IllegalStateException.class, buffer::newReference);
        assertThrows(IllegalStateException.class, own::heaps);
        display.start();
        brokerOf(display).allocate(REQUEST).close();
    }

    /** Activator that fails in stop. */
    public static final class FailsToStop implements BundleActivator {
        @Override
        public void start(BundleContext context) {
            // Nothing to do.
        }

        @Override
        public void stop(BundleContext context) {
            throw new IllegalStateException("made up");
        }
    }

    @Test
    void buffers_of_a_bundle_whose_activator_fails_in_stop_are_taken_back() throws Exception {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        Bundle careless = bundle("org.example.careless", FailsToStop.class);
        HeapBroker own = brokerOf(careless);
        DmaBuf open = own.allocate(REQUEST);
        assertThrows(BundleException.class, careless::stop); // Felix fires no STOPPED then
        assertEquals(Bundle.RESOLVED, careless.getState());
        assertEquals(0, live());
        assertTrue(exporter.memory().released());
        assertThrows(IllegalStateException.class, open::newReference);
        careless.start();
        HeapBroker fresh = brokerOf(careless);
        assertNotSame(own, fresh);
        try (DmaBuf buffer = fresh.allocate(REQUEST);
                Publication publication = fresh.publish(buffer, "frame")) {
            assertNotNull(publication);
        }
    }

    @Test
    void a_failed_stop_after_an_unget_is_noticed_at_the_next_event() throws Exception {
        heap("system", new FakeHeap());
        Bundle careless = bundle("org.example.careless", FailsToStop.class);
        DmaBuf open = brokerOf(careless).allocate(REQUEST);
        BundleContext context = careless.getBundleContext();
        context.ungetService(context.getServiceReference(HeapBroker.class));
        assertThrows(BundleException.class, careless::stop);
        careless.uninstall();
        assertEquals(0, live());
        assertThrows(IllegalStateException.class, open::newReference);
    }
}
