// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel.selftest;

import static org.junit.jupiter.api.Assertions.fail;

import org.junit.jupiter.api.Test;

/**
 * A class with a failing test for kernel/test, which checks that it fails the run. Its name excludes it from the suite.
 */
class Failing {
    @Test
    void a_test_that_fails() {
        fail("as it should");
    }
}
