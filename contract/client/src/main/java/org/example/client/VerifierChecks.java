// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.HeapVerifier;

/** Checks of the verifier, which the test kit in the framework registers. */
final class VerifierChecks {
    private final Gateway gateway;

    VerifierChecks(Gateway gateway) {
        this.gateway = gateway;
    }

    void run(Report report) {
        report.run("a heap is verified", this::aHeapIsVerified);
        report.run("a verifier knows the registered heaps", this::aVerifierKnowsTheRegisteredHeaps);
    }

    private void aHeapIsVerified() {
        List<HeapVerifier.Check> checks = gateway.verifier().checks(Gateway.OWN, false);
        HeapVerifier.Check announced = find(checks, "each_announced_property_has_its_type_and_range");
        Expect.same(Optional.empty(), announced.skipReason());
        Expect.same(Optional.empty(), announced.failure());
        Expect.yes(find(checks, "a_buffer_is_usable_after_its_bundle_has_stopped")
                .skipReason()
                .isPresent());
    }

    private static HeapVerifier.Check find(List<HeapVerifier.Check> checks, String name) {
        return checks.stream()
                .filter(check -> check.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private void aVerifierKnowsTheRegisteredHeaps() {
        try {
            gateway.verifier().checks("kept-nowhere", false);
        } catch (HeapException e) {
            Expect.same(Errno.ENODEV, e.errno());
            return;
        }
        throw new AssertionError("a heap that is not registered was verified");
    }
}
