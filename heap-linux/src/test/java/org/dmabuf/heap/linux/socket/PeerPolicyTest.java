// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.junit.jupiter.api.Test;

class PeerPolicyTest {
    private static Optional<PeerPolicy> rule(Map<String, Object> properties) {
        return PeerPolicy.of(new OwnedFd() {
            @Override
            public int fd() {
                throw new UnsupportedOperationException();
            }

            @Override
            public int detach() {
                throw new UnsupportedOperationException();
            }

            @Override
            public Map<String, Object> heapProperties() {
                return properties;
            }

            @Override
            public void close() {}
        });
    }

    private static PeerPolicy ofSecure(Object users) {
        return rule(Map.of(HeapProperties.NAME, "secure", HeapProperties.PEERS, users)).orElseThrow();
    }

    private static void assertRefused(PeerPolicy rule, int user) {
        HeapException refusal =
                assertThrows(HeapException.class, () -> rule.require(new PeerCredentials(815, user, 0)));
        assertEquals(Errno.EACCES, refusal.errno());
        assertEquals("secure", refusal.heap());
    }

    @Test
    void a_heap_that_names_nobody_has_no_rule() {
        assertEquals(Optional.empty(), rule(Map.of(HeapProperties.NAME, "system")));
    }

    @Test
    void a_user_that_is_named_passes_and_no_other() {
        PeerPolicy rule = ofSecure(List.of(1000, 1001));
        assertDoesNotThrow(() -> rule.require(new PeerCredentials(815, 1001, 5)));
        assertRefused(rule, 0);
        assertRefused(rule, 5);
        assertRefused(ofSecure(List.of()), 0);
    }

    @Test
    void a_value_that_is_no_list_is_one_user_or_names_nobody() {
        assertDoesNotThrow(() -> ofSecure(1000).require(new PeerCredentials(815, 1000, 0)));
        assertRefused(ofSecure(1000), 1001);
        assertRefused(ofSecure("1000"), 1000);
    }

    @Test
    void the_refusal_names_the_user_as_the_configuration_does() {
        HeapException refusal = assertThrows(
                HeapException.class, () -> ofSecure(List.of(1000)).require(new PeerCredentials(815, -2, 0)));
        assertEquals(
                "heap 'secure': process 815 of user -2 may not have a descriptor of its memory; add 4294967294 to"
                        + " heap.peers in the heap's configuration",
                refusal.getMessage());
    }
}
