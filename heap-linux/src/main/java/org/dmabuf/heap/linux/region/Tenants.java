// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.HashMap;
import java.util.Map;

/**
 * List of the buffers that have a range of a region or whose range is quarantined, for the map of the region. It is
 * linked through the buffers, so that adding one needs no memory. Any thread may call any method.
 */
final class Tenants {
    // Guarded by this.
    private RegionBuffer first;

    synchronized void add(RegionBuffer tenant) {
        tenant.next = first;
        if (first != null) {
            first.previous = tenant;
        }
        first = tenant;
    }

    synchronized void remove(RegionBuffer tenant) {
        if (tenant.previous != null) {
            tenant.previous.next = tenant.next;
        } else if (first == tenant) {
            first = tenant.next;
        }
        if (tenant.next != null) {
            tenant.next.previous = tenant.previous;
        }
        tenant.previous = null;
        tenant.next = null;
    }

    /** {@return a snapshot of the buffers by the offsets of their ranges} */
    synchronized Map<Long, RegionBuffer> byOffset() {
        Map<Long, RegionBuffer> tenants = new HashMap<>();
        for (RegionBuffer tenant = first; tenant != null; tenant = tenant.next) {
            tenants.put(tenant.offset, tenant);
        }
        return tenants;
    }
}
