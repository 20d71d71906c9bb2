// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Fault of a broken heap or bundle, with the cases that must notice it.
 *
 * @param noticedBy name of the case about the requirement that is broken
 * @param message part of the failure of that case, which names the fault
 * @param alsoNoticedBy names of other cases that cannot pass with this fault
 */
record Fault(String noticedBy, String message, Set<String> alsoNoticedBy) {
    /** {@return names of the cases that must fail} */
    Set<String> expected(Set<String> skipped) {
        Set<String> all = new TreeSet<>(alsoNoticedBy);
        all.add(noticedBy);
        all.removeAll(skipped);
        return all;
    }

    /**
     * @param failures of all cases that ran, by name
     * @param skipped names of the cases that did not apply
     */
    void assertNoticed(Map<String, String> failures, Set<String> skipped) {
        assertEquals(expected(skipped), failures.keySet(), failures::toString);
        String failure = failures.get(noticedBy);
        assertTrue(failure.contains(message), failure);
    }

    /** Name of the test. */
    @Override
    public String toString() {
        return noticedBy + ": " + message;
    }
}
