// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap.State;
import org.dmabuf.heap.spi.RegionMap.Stretch;

/**
 * Accounting of a heap of {@value #CAPACITY} bytes: its allocated memory, and released memory that stays pooled until
 * it is reused as a whole or trimmed. A client can thus check that the broker trims.
 */
final class Books {
    static final long CAPACITY = 1 << 20;

    // Guarded by this. A request of the broker is one object for each buffer.
    private final List<HeapRequest> out = new ArrayList<>();
    private long kept;
    private long hits;
    private long misses;

    synchronized void take(HeapRequest request) {
        if (request.size() == kept) {
            kept = 0;
            hits++;
        } else if (request.size() > CAPACITY - used() - kept) {
            throw HeapException.of(Errno.ENOMEM, OwnHeap.NAME, sentence(request) + " do not fit; close buffers");
        } else {
            misses++;
        }
        out.add(request);
    }

    private static String sentence(HeapRequest request) {
        return request.size() + " bytes aligned to " + request.alignment() + " for export " + request.export()
                + request.name().map(name -> " as '" + name + "'").orElse("")
                + request.client()
                        .map(ClientId::name)
                        .map(name -> " of " + name)
                        .orElse("");
    }

    synchronized void giveBack(HeapRequest request) {
        out.remove(request);
        kept += request.size();
    }

    synchronized long trim() {
        long given = kept;
        kept = 0;
        return given;
    }

    synchronized HeapUsage usage() {
        long free = CAPACITY - used();
        return HeapUsage.unknown()
                .withCapacity(CAPACITY)
                .withFree(free)
                .withLargestFree(free)
                .withQuarantined(0)
                .withInLargeFolios(0)
                .withFragmentation(0)
                .withPool(new PoolUsage("kept", kept, hits, misses));
    }

    synchronized List<Stretch> stretches() {
        List<Stretch> all = new ArrayList<>();
        long at = 0;
        for (HeapRequest request : out) {
            all.add(Stretch.of(at, request.size(), State.USED, request));
            at += request.size();
        }
        if (kept > 0) {
            all.add(Stretch.of(at, kept, State.DIRTY));
            at += kept;
        }
        if (at < CAPACITY) {
            all.add(Stretch.of(at, CAPACITY - at, State.FREE));
        }
        return all;
    }

    private long used() {
        return out.stream().mapToLong(HeapRequest::size).sum();
    }
}
