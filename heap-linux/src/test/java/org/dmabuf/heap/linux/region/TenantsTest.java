// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.List;
import java.util.Map;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;

class TenantsTest {
    private final Tenants tenants = new Tenants();

    /** Creates a buffer that is never used or released, and so needs no region. */
    private static RegionBuffer at(long offset) {
        return new RangeBuffer(null, offset, 4096, HeapRequest.of(4096));
    }

    private void assertTenants(RegionBuffer... expected) {
        Map<Long, RegionBuffer> found = tenants.byOffset();
        assertEquals(expected.length, found.size());
        for (RegionBuffer tenant : expected) {
            assertEquals(tenant, found.get(tenant.offset));
        }
    }

    @Test
    void there_is_no_tenant_at_first() {
        assertTenants();
    }

    @Test
    void each_tenant_is_found_by_its_offset_and_can_be_removed() {
        RegionBuffer a = at(0);
        RegionBuffer b = at(4096);
        RegionBuffer c = at(8192);
        RegionBuffer d = at(12288);
        List.of(a, b, c, d).forEach(tenants::add);
        assertTenants(a, b, c, d);
        tenants.remove(b);
        assertTenants(a, c, d);
        tenants.remove(d); // the last one added
        assertTenants(a, c);
        tenants.remove(a); // the first one added
        assertTenants(c);
        tenants.remove(c);
        assertTenants();
    }

    @Test
    void a_repeated_or_wrong_removal_removes_no_other_tenant() {
        RegionBuffer a = at(0);
        RegionBuffer b = at(4096);
        tenants.add(a);
        tenants.add(b);
        tenants.remove(a);
        tenants.remove(a);
        tenants.remove(at(8192));
        assertTenants(b);
    }

    @Test
    void a_removed_tenant_keeps_no_neighbour_reachable() {
        RegionBuffer a = at(0);
        RegionBuffer b = at(4096);
        tenants.add(a);
        tenants.add(b);
        tenants.remove(a);
        assertNull(a.previous);
        assertNull(a.next);
        assertNull(b.next);
    }

    @Test
    void the_next_tenant_of_an_offset_is_found_there() {
        RegionBuffer first = at(0);
        RegionBuffer next = at(0);
        tenants.add(first);
        tenants.remove(first);
        tenants.add(next);
        assertTenants(next);
    }
}
