// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.spi.HeapVerifier;
import org.dmabuf.heap.tck.HeapUnderTest.Company;
import org.osgi.framework.BundleContext;

/** Verifier whose checks are the cases of the contract, and those of a bundle that stops. */
final class FrameworkVerifier implements HeapVerifier {
    private static final Optional<String> NOT_WANTED =
            Optional.of("it stops the heap's bundle, which was not requested (--dynamics)");

    private final BundleContext context;

    FrameworkVerifier(BundleContext context) {
        this.context = context;
    }

    @Override
    public List<Check> checks(String name, boolean dynamics) {
        RunningHeap running = new RunningHeap(context, name);
        HeapUnderTest heap = new HeapUnderTest(running, running.properties(), Company.CLIENTS);
        List<Check> checks = new ArrayList<>(HeapContract.of(heap).cases());
        Optional<String> notWanted = dynamics ? Optional.empty() : NOT_WANTED;
        checks.addAll(heap.listed(() -> DynamicsCases.of(heap, running, notWanted, DynamicsCases.PATIENCE)));
        return List.copyOf(checks);
    }
}
