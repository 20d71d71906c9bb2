// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.dmabuf.heap.Errno;
import org.junit.jupiter.api.Test;

class FdSocketExceptionTest {
    private static final int UNDEFINED = 4000;

    @Test
    void a_failure_of_a_known_kind_has_its_number() {
        FdSocketException failure = new FdSocketException(Errno.EPROTO, "no text came");
        assertEquals(Errno.EPROTO, failure.errno());
        assertEquals(71, failure.number());
        assertEquals("no text came", failure.getMessage());
        assertNull(failure.getCause());
    }

    @Test
    void a_listed_number_has_its_constant() {
        FdSocketException failure = new FdSocketException(104, "sendmsg failed");
        assertEquals(Errno.ECONNRESET, failure.errno());
        assertEquals(104, failure.number());
    }

    @Test
    void a_number_that_linux_does_not_define_is_kept() {
        FdSocketException failure = new FdSocketException(UNDEFINED, "bind failed");
        assertEquals(Errno.EIO, failure.errno());
        assertEquals(UNDEFINED, failure.number());
        assertEquals("bind failed", failure.getMessage());
    }

    @Test
    void a_cause_is_kept() {
        Throwable cause = new IllegalStateException("made up");
        assertSame(cause, new FdSocketException(Errno.EIO, "no folder", cause).getCause());
    }
}
