// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;

import java.util.ArrayList;
import java.util.List;
import javax.inject.Inject;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.HeapVerifier;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;

/** Example of a test that runs the heap contract in a framework: on each heap of the gateway, and on two
 * of a vendor. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class ContractIT {
    @Inject
    private BundleContext context;

    @Inject
    private HeapVerifier verifier;

    @Configuration
    public Option[] container() {
        return new Option[] {
            Gateway.options(), bundle(Gateway.dropIn("heap-tck").toUri().toString())
        };
    }

    @Test
    public void every_heap_of_the_gateway_keeps_the_contract_also_when_its_bundle_restarts() throws Exception {
        Framework framework = new Framework(context);
        framework.openWhatIsOpenedOnce();
        Bundle vendor = framework.install(Gateway.dropIn("vendor-heap"));
        Bundle policy = framework.install(Gateway.dropIn("policy-heap"));
        vendor.start();
        policy.start();
        for (String heap : List.of("system", "cma", "carveout", "secure", "acme", "small")) {
            keepsTheContract(heap);
        }
        assertEquals(List.of(), running());
        policy.uninstall();
        vendor.uninstall();
    }

    private void keepsTheContract(String heap) {
        List<String> failures = new ArrayList<>();
        int run = 0;
        for (HeapVerifier.Check check : verifier.checks(heap, true)) {
            if (check.skipReason().isEmpty()) {
                run++;
                check.failure().ifPresent(how -> failures.add(heap + ", " + check.name() + ": " + how));
            } else {
                System.out.println("skipped: " + heap + ", " + check.name() + ": "
                        + check.skipReason().get());
            }
        }
        assertEquals(List.of(), failures);
        assertTrue("only " + run + " cases ran on " + heap, run > 20);
    }

    /** {@return the kit's threads} */
    private static List<String> running() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("dmaheap-verify"))
                .toList();
    }

    @Test
    public void a_heap_that_is_not_registered_cannot_be_verified() {
        HeapException refusal = assertThrows(HeapException.class, () -> verifier.checks("nowhere", false));
        assertEquals(Errno.ENODEV, refusal.errno());
    }
}
