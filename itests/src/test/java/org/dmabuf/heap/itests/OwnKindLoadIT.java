// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import javax.inject.Inject;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;

/** Tests of a vendor's bundle with a kind of demand of its own, which arrives and leaves while clients use it. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class OwnKindLoadIT {
    private static final int LIVES = 40;
    private static final String HEAP = "banked";
    private static final AllocationRequest REQUEST = AllocationRequest.of(8192).forDevices("/dev/acme-npu0");

    @Inject
    private BundleContext context;

    private Framework framework;
    private Bundle client;

    @Configuration
    public Option[] container() {
        return new Option[] {
            Gateway.options(), bundle(Gateway.dropIn("heap-tck").toUri().toString())
        };
    }

    @Before
    public void start_a_client() throws Exception {
        framework = new Framework(context);
        client = framework.startEmptyBundle("org.example.client");
    }

    @After
    public void uninstall_the_client() throws Exception {
        client.uninstall();
    }

    private Bundle dropIn() throws Exception {
        Bundle vendor = framework.install(Gateway.dropIn("banked-heap"));
        vendor.start();
        return vendor;
    }

    private static boolean serves(HeapBroker broker) {
        try {
            broker.allocate(REQUEST).close();
            return true;
        } catch (HeapException e) {
            assertEquals(Errno.ENODEV, e.errno());
            return false;
        }
    }

    @Test
    public void requests_for_its_device_are_served_while_it_is_there_and_refused_otherwise() throws Exception {
        HeapBroker broker = Framework.broker(client.getBundleContext());
        Bundle first = dropIn();
        Framework.await(true, () -> serves(broker));
        AllocationPlan plan = broker.plan(REQUEST);
        assertEquals(List.of(HEAP), plan.heaps());
        framework.openWhatIsOpenedOnce();
        ProcessState before = ProcessState.now();
        AtomicLong served = new AtomicLong();
        AtomicLong refused = new AtomicLong();
        try (Load load = new Load(8, turn -> {
            try (DmaBuf buffer = turn % 2 == 0 ? broker.allocate(REQUEST) : plan.allocate()) {
                assertEquals(HEAP, buffer.heapName());
                served.incrementAndGet();
            } catch (HeapException e) {
                assertEquals(e.getMessage(), Errno.ENODEV, e.errno());
                refused.incrementAndGet();
            }
        })) {
            Bundle vendor = first;
            for (int life = 0; life < LIVES; life++) {
                long buffers = served.get();
                Framework.await(true, () -> served.get() > buffers + 100);
                vendor.uninstall();
                long refusals = refused.get();
                Framework.await(true, () -> refused.get() > refusals + 100);
                vendor = dropIn();
            }
            load.stop();
            vendor.uninstall();
        }
        assertEquals(0, framework.charged(HEAP));
        before.assertNothingLeft();
    }

    @Test
    public void a_plan_without_its_heap_names_the_demand_and_serves_again_with_the_heap() throws Exception {
        HeapBroker broker = Framework.broker(client.getBundleContext());
        Bundle vendor = dropIn();
        Framework.await(true, () -> serves(broker));
        AllocationPlan plan = broker.plan(REQUEST);
        vendor.uninstall();
        HeapException refusal = assertThrows(HeapException.class, plan::allocate);
        assertTrue(refusal.getMessage(), refusal.getMessage().contains("bank=2 of /dev/acme-npu0"));
        Bundle again = dropIn();
        Framework.await(true, () -> serves(broker));
        plan.allocate().close();
        again.uninstall();
    }
}
