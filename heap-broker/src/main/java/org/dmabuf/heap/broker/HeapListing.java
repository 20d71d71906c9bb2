// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What {@code heaps()} tells: each heap with its standing, its usage and what it has out. */
final class HeapListing {
    private static final Logger LOG = LoggerFactory.getLogger(HeapListing.class);

    private record Info(
            String name,
            HeapState state,
            String reason,
            Map<String, Object> properties,
            String bundle,
            HeapUsage usage,
            long liveBuffers,
            long liveBytes,
            long lingeringBuffers,
            long lingeringBytes)
            implements HeapInfo {
        @Override
        public String toString() {
            return name + " (" + state + ")";
        }
    }

    private final HeapTable table;
    private final Adoption adoption;

    HeapListing(HeapTable table, Adoption adoption) {
        this.table = table;
        this.adoption = adoption;
    }

    List<HeapInfo> heaps() {
        List<HeapInfo> infos = new ArrayList<>();
        Routes routes;
        List<HeapTable.Departed> departed;
        synchronized (table) { // of one moment: a heap that leaves or returns in between would be missing
            routes = table.routes();
            departed = table.departed();
        }
        Set<Account> told = new HashSet<>(); // heaps of one name share one: those that serve tell it first
        for (Routes.Listed listed : routes.listed()) {
            Heap heap = listed.heap();
            HeapUsage usage = listed.state() == HeapState.SERVING ? usage(heap) : HeapUsage.unknown();
            infos.add(info(
                    heap.description(),
                    listed.state(),
                    listed.reason(),
                    usage,
                    told.add(heap.account()) ? heap.account().figures() : Figures.NONE));
        }
        for (HeapTable.Departed left : departed) {
            Figures charged = left.account().figures();
            infos.add(info(
                    left.description(),
                    HeapState.DEPARTED,
                    charged.liveBuffers() > 0
                            ? "it has left; its buffers live on"
                            : "it has left; peers still hold memory of it",
                    HeapUsage.unknown(),
                    charged));
        }
        if (adoption.account().buffers() > 0) {
            infos.add(info(
                    adoption.description(),
                    HeapState.ADOPTED,
                    "it is no heap: buffers that bundles adopted from other processes",
                    HeapUsage.unknown(),
                    adoption.account().figures()));
        }
        return List.copyOf(infos);
    }

    private static Info info(
            HeapDescription heap, HeapState state, String reason, HeapUsage usage, Figures charged) {
        return new Info(
                heap.name(),
                state,
                reason,
                heap.properties(),
                heap.bundle(),
                usage,
                charged.liveBuffers(),
                charged.liveBytes(),
                charged.lingeringBuffers(),
                charged.lingeringBytes());
    }

    private static HeapUsage usage(Heap heap) {
        int ticket = heap.gate().enter();
        if (ticket == Gate.REFUSED) {
            return HeapUsage.unknown();
        }
        try {
            HeapUsage usage = heap.exporter().usage();
            return usage == null ? HeapUsage.unknown() : usage;
        } catch (OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            LOG.warn("heap '{}' failed in usage; report that to its vendor", heap.name(), e);
            return HeapUsage.unknown();
        } finally {
            heap.gate().leave(ticket);
        }
    }
}
