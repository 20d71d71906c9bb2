// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Heap that breaks one requirement.
 *
 * @param fault the requirement, with the cases that must notice it
 * @param breaking changes a good heap
 * @param announced changes of the service properties
 */
record BrokenHeap(Fault fault, UnaryOperator<HeapExporter> breaking, Map<String, Object> announced) {
    /** A heap with an announcement of its own, or with another exporter. */
    static BrokenHeap of(
            String noticedBy, String message, UnaryOperator<HeapExporter> breaking, String... alsoNoticedBy) {
        return new BrokenHeap(new Fault(noticedBy, message, Set.of(alsoNoticedBy)), breaking, Map.of());
    }

    /** A heap that serves requests in another way. It still refuses a null. */
    static BrokenHeap serving(
            String noticedBy,
            String message,
            BiFunction<HeapExporter, HeapRequest, HeapBuffer> allocating,
            String... alsoNoticedBy) {
        return of(
                noticedBy,
                message,
                good -> new Forwarding(good) {
                    @Override
                    HeapBuffer serve(HeapRequest request) {
                        return allocating.apply(good, request);
                    }
                },
                alsoNoticedBy);
    }

    /** A heap that wraps its buffers. */
    static BrokenHeap wrapping(
            String noticedBy,
            String message,
            BiFunction<HeapBuffer, HeapRequest, HeapBuffer> wrapping,
            String... alsoNoticedBy) {
        return serving(
                noticedBy, message, (good, request) -> wrapping.apply(good.allocate(request), request), alsoNoticedBy);
    }

    /** A heap that is good, but not as it announces. */
    static BrokenHeap announcing(
            String noticedBy, String message, Map<String, Object> announced, String... alsoNoticedBy) {
        return new BrokenHeap(new Fault(noticedBy, message, Set.of(alsoNoticedBy)), good -> good, announced);
    }

    BrokenHeap announcing(String property, Object value) {
        Map<String, Object> all = new HashMap<>(announced);
        all.put(property, value);
        return new BrokenHeap(fault, breaking, all);
    }

    /** Name of the test. */
    @Override
    public String toString() {
        return fault.toString();
    }

    static HeapException refusal(Errno errno, HeapRequest request) {
        return HeapException.of(errno, "camera", request.size() + " bytes were refused");
    }

    /** Exporter to override methods of. */
    static class Forwarding implements HeapExporter {
        final HeapExporter good;

        Forwarding(HeapExporter good) {
            this.good = good;
        }

        @Override
        public final HeapBuffer allocate(HeapRequest request) {
            if (request == null) {
                throw HeapException.of(Errno.EINVAL, "camera", "invalid request = null: expected a HeapRequest");
            }
            return serve(request);
        }

        HeapBuffer serve(HeapRequest request) {
            return good.allocate(request);
        }

        @Override
        public HeapUsage usage() {
            return good.usage();
        }

        @Override
        public long trim(long bytes) {
            return good.trim(bytes);
        }
    }
}
