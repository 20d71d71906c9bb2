// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.spi.DeviceDemands;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Bundle;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceRegistration;

/** Tests of sources of demands that arrive, change and leave, with the calls of Declarative Services. */
class BrokerComponentDevicesTest extends BrokerInFramework {
    private static final AllocationRequest VIDEO = AllocationRequest.of(65_536).forDevices("/dev/video0");

    private final AtomicInteger asked = new AtomicInteger();
    private String demand = "mappable=true";

    private ServiceRegistration<DeviceDemands> source() {
        DeviceDemands code = device -> {
            asked.incrementAndGet();
            return List.of(Demand.parse(device + " " + demand));
        };
        ServiceRegistration<DeviceDemands> source =
                framework.getBundleContext().registerService(DeviceDemands.class, code, null);
        component.addDeviceDemands(source.getReference());
        return source;
    }

    private String servedBy(HeapBroker broker) {
        try (DmaBuf buffer = broker.allocate(VIDEO)) {
            return buffer.heapName();
        }
    }

    @Test
    void a_source_is_asked_from_its_announcement_to_its_removal() {
        heap("system", new FakeHeap());
        HeapBroker broker = brokerOf(camera);
        assertEquals(
                Errno.ENODEV,
                assertThrows(HeapException.class, () -> broker.plan(VIDEO)).errno());
        ServiceRegistration<DeviceDemands> source = source();
        AllocationPlan plan = broker.plan(VIDEO);
        assertEquals("system", servedBy(broker));
        component.removeDeviceDemands(source.getReference());
        assertNull(source.getReference().getUsingBundles());
        assertThrows(HeapException.class, () -> broker.allocate(VIDEO));
        plan.allocate().close(); // it keeps the demands
    }

    @Test
    void a_source_that_changes_its_properties_is_asked_again_for_kept_plans() {
        heap("system", new FakeHeap());
        heap(new FakeHeap(), Map.of(HeapProperties.NAME, "cma", HeapProperties.CONTIGUOUS, true));
        ServiceRegistration<DeviceDemands> source = source();
        HeapBroker broker = brokerOf(camera);
        assertEquals("system", servedBy(broker));
        demand = "sg=contiguous";
        assertEquals("system", servedBy(broker));
        assertEquals(1, asked.get());
        source.setProperties(FrameworkUtil.asDictionary(Map.of("changed", 1)));
        component.changeDeviceDemands(source.getReference());
        assertEquals("cma", servedBy(broker));
        assertEquals(2, asked.get());
    }

    @Test
    void a_source_that_left_before_it_was_bound_is_not_asked() {
        heap("system", new FakeHeap());
        ServiceRegistration<DeviceDemands> source =
                framework.getBundleContext().registerService(DeviceDemands.class, device -> List.of(), null);
        var reference = source.getReference();
        source.unregister();
        component.addDeviceDemands(reference);
        component.removeDeviceDemands(reference);
        assertTrue(assertThrows(HeapException.class, () -> brokerOf(camera).allocate(VIDEO))
                .getMessage()
                .contains("are unknown"));
    }

    @Test
    void a_source_that_cannot_be_made_fails_requests_for_devices() {
        heap("system", new FakeHeap());
        source();
        ServiceRegistration<DeviceDemands> broken = framework
                .getBundleContext()
                .registerService(
                        DeviceDemands.class,
                        new ServiceFactory<DeviceDemands>() {
                            @Override
                            public DeviceDemands getService(
                                    Bundle bundle, ServiceRegistration<DeviceDemands> registration) {
                                return null; // as Declarative Services for a component whose activation failed
                            }

                            @Override
                            public void ungetService(
                                    Bundle bundle,
                                    ServiceRegistration<DeviceDemands> registration,
                                    DeviceDemands service) {}
                        },
                        null);
        component.addDeviceDemands(broken.getReference());
        HeapException refusal =
                assertThrows(HeapException.class, () -> brokerOf(camera).allocate(VIDEO));
        assertEquals(Errno.EIO, refusal.errno());
        assertTrue(refusal.getMessage().contains("gave no source of demands"), refusal::getMessage);
        component.removeDeviceDemands(broken.getReference());
        assertEquals("system", servedBy(brokerOf(camera)));
    }

    @Test
    void the_plan_of_a_bundle_ends_with_it() throws Exception {
        heap("system", new FakeHeap());
        source();
        HeapBroker broker = brokerOf(camera);
        AllocationPlan plan = broker.plan(VIDEO);
        camera.stop();
        assertThrows(IllegalStateException.class, plan::allocate);
        assertThrows(IllegalStateException.class, () -> broker.plan(VIDEO));
    }
}
