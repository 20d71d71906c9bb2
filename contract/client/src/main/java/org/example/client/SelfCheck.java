// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import java.util.Map;
import java.util.concurrent.Callable;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapMonitor;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * Client that uses all of the API, and the sockets and devices of heap-linux, on the heaps of the kept vendor, and
 * checks the results.
 *
 * <p>The test calls it and gets each check by name, with {@code passed} or its failure. Each check is a separate
 * method, so that a missing method of the API fails only the checks that call it.
 */
@Component(service = Callable.class, property = "check=" + SelfCheck.CLIENT)
public final class SelfCheck implements Callable<Map<String, String>> {
    static final String CLIENT = "org.example.client";

    private final Gateway gateway;

    @Activate
    public SelfCheck(BundleContext context, @Reference HeapBroker broker, @Reference HeapMonitor monitor) {
        gateway = new Gateway(context, broker, monitor);
    }

    @Override
    public Map<String, String> call() {
        Report report = new Report();
        ValueChecks.run(report);
        new HeapChecks(gateway).run(report); // first, because it expects the figures before any buffer
        new BufferChecks(gateway).run(report);
        new ShortageChecks(gateway).run(report);
        new RefusalChecks(gateway).run(report);
        new DemandChecks(gateway).run(report);
        new DescriptorChecks(gateway).run(report);
        new PublicationChecks(gateway).run(report);
        new AccountChecks(gateway).run(report);
        new VerifierChecks(gateway).run(report);
        report.run("nothing is left", this::nothingIsLeft);
        return report.results();
    }

    /** The memory of an exported buffer stays charged until its last holder is gone, which takes a moment. */
    private void nothingIsLeft() throws Exception {
        Expect.soon(0L, gateway::charged);
        Expect.soon(
                Gateway.CAPACITY, () -> gateway.heap(Gateway.OWN).usage().free().orElseThrow());
    }
}
