// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.dmabuf.heap.ClientId;
import org.junit.jupiter.api.Test;

class RefusalLogTest {
    private static final ClientId LOUD = ClientId.of("uid", "1000");
    private static final ClientId OTHER = ClientId.of("uid", "1001");

    private final RefusalLog log = new RefusalLog();

    @Test
    void a_client_with_many_different_refusals_does_not_silence_another_one() {
        for (int i = 0; i < RefusalLog.MOST; i++) {
            assertTrue(log.isNew(LOUD, "refusal " + i));
        }
        assertFalse(log.isNew(LOUD, "one more"));
        assertTrue(log.isNew(OTHER, "refusal 0"));
    }

    @Test
    void a_repeated_refusal_is_logged_again_only_after_a_change_of_the_rules() {
        assertTrue(log.isNew(LOUD, "refusal"));
        assertFalse(log.isNew(LOUD, "refusal"));
        log.restart();
        assertTrue(log.isNew(LOUD, "refusal"));
    }
}
