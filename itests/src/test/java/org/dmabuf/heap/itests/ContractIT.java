// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;

import java.util.ArrayList;
import java.util.List;
import javax.inject.Inject;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.ContractCase;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceReference;

/** Run of the heap contract on the services of a running gateway. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class ContractIT {
    @Inject
    private BundleContext context;

    @Configuration
    public Option[] container() {
        return new Option[] {
            Gateway.options(), bundle(Gateway.dropIn("heap-tck").toUri().toString())
        };
    }

    @Test
    public void every_heap_of_the_gateway_keeps_the_contract() throws Exception {
        Bundle vendor = new Framework(context).install(Gateway.dropIn("vendor-heap"));
        vendor.start();
        // The secure heap has a list of skipped cases, and heap-secure's own tests run its contract with that list.
        var heaps = context.getServiceReferences(HeapExporter.class, "(!(heap.name=secure))");
        assertEquals(4, heaps.size());
        for (ServiceReference<HeapExporter> heap : heaps) {
            keepsTheContract(heap);
        }
        vendor.uninstall();
    }

    private void keepsTheContract(ServiceReference<HeapExporter> heap) {
        HeapContract contract = HeapContract.of(context.getService(heap), FrameworkUtil.asMap(heap.getProperties()));
        List<String> failures = new ArrayList<>();
        int run = 0;
        for (ContractCase one : contract.cases()) {
            if (one.skipReason().isEmpty()) {
                run++;
                try {
                    one.run();
                } catch (AssertionError e) {
                    failures.add(e.getMessage());
                }
            }
        }
        assertEquals(List.of(), failures);
        assertTrue("only " + run + " cases ran", run > 30);
    }
}
