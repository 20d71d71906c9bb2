// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PeerRuleTest {
    private static PeerRule of(Object users) {
        return PeerRule.of("secure", users).orElseThrow();
    }

    @Test
    void a_heap_that_announces_no_peers_has_no_rule() {
        assertEquals(Optional.empty(), PeerRule.of("system", null));
    }

    @Test
    void only_listed_users_are_permitted() {
        for (Object users :
                List.of(List.of(1000, 1001), Set.of(1000, 1001), new Integer[] {1000, 1001}, new int[] {1000, 1001})) {
            PeerRule rule = of(users);
            assertEquals("secure", rule.heap());
            assertEquals(Set.of(1000, 1001), rule.users());
            assertTrue(rule.permits(1000));
            assertTrue(rule.permits(1001));
            assertFalse(rule.permits(0));
            assertFalse(rule.permits(1002));
        }
    }

    @Test
    void a_single_user_needs_no_list() {
        assertEquals(Set.of(1000), of(1000).users());
        assertTrue(of(0).permits(0));
    }

    @Test
    void an_empty_list_permits_no_peer_not_even_root() {
        for (Object none : List.of(List.of(), new Integer[0], new int[0])) {
            assertEquals(Set.of(), of(none).users());
            assertFalse(of(none).permits(0));
        }
    }

    @Test
    void a_value_of_another_type_permits_no_peer() {
        for (Object wrong : List.of("1000", 1000L, List.of("1000", 1000L), new String[] {"1000"}, new long[] {1000})) {
            assertEquals(Set.of(), of(wrong).users());
            assertFalse(of(wrong).permits(1000));
        }
        assertEquals(Set.of(1000), of(Arrays.asList("0", null, 1000)).users());
    }

    @Test
    void a_user_number_above_the_largest_int_has_the_same_bits_as_an_int() {
        assertTrue(of(-2).permits((int) 4_294_967_294L));
    }

    @Test
    void a_later_change_of_a_list_does_not_change_the_rule() {
        List<Integer> users = new ArrayList<>(List.of(1000));
        PeerRule rule = of(users);
        users.add(0);
        assertFalse(rule.permits(0));
        assertThrows(UnsupportedOperationException.class, () -> rule.users().add(0));
    }

    @Test
    void its_text_names_the_heap_and_the_users() {
        assertEquals("heap 'secure' permits users [1000]", of(1000).toString());
    }
}
