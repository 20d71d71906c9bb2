// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel.selftest;

import static org.junit.jupiter.api.Assertions.fail;

import org.junit.jupiter.api.Test;

/** For kernel/test, which sees to it that such a class fails the run. By its name it is no part of the suite. */
class Failing {
    @Test
    void a_test_that_fails() {
        fail("as it should");
    }
}
