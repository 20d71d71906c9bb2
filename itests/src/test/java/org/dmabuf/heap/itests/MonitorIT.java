// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertSame;

import java.util.List;
import java.util.Optional;
import javax.inject.Inject;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.text.Bytes;
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

/** Tests of two bundles that monitor the same memory, such as the shell and an exporter of metrics. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class MonitorIT {
    private static final AllocationRequest REQUEST =
            AllocationRequest.of(65_536).withHeaps("system");

    @Inject
    private BundleContext context;

    private Framework framework;
    private Bundle one;
    private Bundle two;
    private HeapMonitor first;
    private HeapMonitor second;
    private HeapBroker broker;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Before
    public void start_two_bundles() throws Exception {
        framework = new Framework(context);
        one = framework.startEmptyBundle("org.example.one");
        two = framework.startEmptyBundle("org.example.two");
        first = Framework.monitor(one.getBundleContext());
        second = Framework.monitor(two.getBundleContext());
        broker = Framework.broker(one.getBundleContext());
        first.resetPeaks();
        second.resetPeaks();
    }

    @After
    public void stop_them() throws Exception {
        one.uninstall();
        two.uninstall();
        Framework.await(0L, () -> framework.charged("system"));
    }

    @Test
    public void each_bundle_has_its_own_monitor() {
        assertNotSame(first, second);
        assertSame(first, Framework.monitor(one.getBundleContext()));
    }

    @Test
    public void a_reset_of_one_monitors_peaks_does_not_change_the_other() {
        ClientId client = ClientId.ofBundle("org.example.one", one.getLocation());
        broker.allocate(REQUEST).close();
        for (HeapMonitor monitor : List.of(first, second)) {
            assertEquals(65_536, heap(monitor).peakBytes());
            assertEquals(65_536, client(monitor, client).peakBytes());
        }

        first.resetPeaks();
        assertEquals(0, heap(first).peakBytes());
        assertEquals(0, client(first, client).peakBytes());
        assertEquals(65_536, heap(second).peakBytes());
        assertEquals(65_536, client(second, client).peakBytes());

        try (DmaBuf _ = broker.allocate(AllocationRequest.of(Bytes.PAGE).withHeaps("system"))) {
            assertEquals(Bytes.PAGE, heap(first).peakBytes());
            assertEquals(65_536, heap(second).peakBytes());
            second.resetPeaks();
            assertEquals("the present charge", Bytes.PAGE, heap(second).peakBytes());
        }
        assertEquals(Bytes.PAGE, heap(first).peakBytes());
        assertEquals(Bytes.PAGE, heap(second).peakBytes());
    }

    @Test
    public void sums_since_the_start_never_fall_and_are_the_same_for_all() {
        UsageRecord before = heap(first);
        broker.allocate(REQUEST, 3).forEach(DmaBuf::close);
        first.resetPeaks();
        for (HeapMonitor monitor : List.of(first, second)) {
            assertEquals(before.allocations() + 3, heap(monitor).allocations());
            assertEquals(before.allocatedBytes() + 3 * 65_536, heap(monitor).allocatedBytes());
        }
    }

    private static UsageRecord heap(HeapMonitor monitor) {
        return monitor.usageByHeap().stream()
                .filter(record -> record.heap().equals(Optional.of("system")))
                .findFirst()
                .orElseThrow();
    }

    private static UsageRecord client(HeapMonitor monitor, ClientId client) {
        return monitor.usageByClient().stream()
                .filter(record -> record.client().equals(Optional.of(client)))
                .findFirst()
                .orElseThrow();
    }
}
