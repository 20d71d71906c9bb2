// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class RegionLifetimeTest {
    private final AtomicInteger ends = new AtomicInteger();
    private final RegionLifetime lifetime = new RegionLifetime(ends::incrementAndGet);

    @Test
    void it_ends_with_the_last_departure_after_the_close() {
        assertTrue(lifetime.enter());
        assertTrue(lifetime.close());
        assertFalse(lifetime.close());
        lifetime.leave();
        assertEquals(0, ends.get());
        lifetime.leave();
        assertEquals(1, ends.get());
    }

    @Test
    void a_closed_region_cannot_be_entered_and_stays_while_it_has_a_tenant() {
        assertTrue(lifetime.enter());
        assertTrue(lifetime.close());
        lifetime.leave();
        assertFalse(lifetime.enter());
        assertTrue(lifetime.stay());
        lifetime.leave();
        lifetime.leave();
        assertFalse(lifetime.stay());
        assertEquals(1, ends.get());
    }
}
