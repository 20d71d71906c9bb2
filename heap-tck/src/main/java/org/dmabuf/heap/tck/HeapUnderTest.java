// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** A heap with its announcement, as the cases use it. */
final class HeapUnderTest {
    private final HeapExporter exporter;
    private final Map<String, ?> properties;
    private final Duration patience;

    /** @param patience how long what a case left behind may still go by itself */
    HeapUnderTest(HeapExporter exporter, Map<String, ?> properties, Duration patience) {
        this.exporter = exporter;
        this.patience = patience;
        this.properties = Map.copyOf(properties);
    }

    HeapExporter exporter() {
        return exporter;
    }

    Duration patience() {
        return patience;
    }

    Map<String, ?> properties() {
        return properties;
    }

    /** The announced name; a heap without one fails the case for that and no other. */
    String name() {
        return properties.get(HeapProperties.NAME) instanceof String name ? name : "";
    }

    boolean announces(String property, boolean byDefault) {
        return properties.get(property) instanceof Boolean value ? value : byDefault;
    }

    /** The largest alignment that a request may ask for. */
    long alignment() {
        return properties.get(HeapProperties.ALIGNMENT) instanceof Long bytes ? bytes : 4096;
    }

    // Why a case does not apply: empty when it does.

    Optional<String> unlessMappable() {
        return announces(HeapProperties.MAPPABLE, true)
                ? Optional.empty()
                : Optional.of("heap.mappable=false: the CPU cannot look");
    }

    Optional<String> ifMappable() {
        return announces(HeapProperties.MAPPABLE, true)
                ? Optional.of("heap.mappable=true: there is nothing to refuse")
                : Optional.empty();
    }

    Optional<String> unlessReadOnlyExports() {
        return announces(HeapProperties.EXPORT_READONLY, false)
                ? Optional.empty()
                : Optional.of("heap.export.readonly=false: there is no such descriptor");
    }

    Optional<String> ifReadOnlyExports() {
        return announces(HeapProperties.EXPORT_READONLY, false)
                ? Optional.of("heap.export.readonly=true: there is nothing to refuse")
                : Optional.empty();
    }

    /** @param bytes that the case holds at once */
    Optional<String> unlessHolds(long bytes) {
        long capacity = exporter.usage().capacity().orElse(Long.MAX_VALUE);
        return capacity >= bytes
                ? Optional.empty()
                : Optional.of("needs " + Bytes.text(bytes) + " at once; the heap holds " + Bytes.text(capacity));
    }

    // Cases

    ContractCase expect(String name, ContractCase.Body body) {
        return expect(name, body, Optional.empty());
    }

    /** @param skipReason one of the above, or several with {@link Optional#or} */
    ContractCase expect(String name, ContractCase.Body body, Optional<String> skipReason) {
        return new ContractCase(this, name, skipReason, body);
    }

    // What cases do with the heap

    /** The kinds of buffer that a heap makes in different ways, if it does: every one that it announces. */
    List<ContractRequest> kinds(long size) {
        List<ContractRequest> kinds = new ArrayList<>();
        kinds.add(ContractRequest.of(size));
        kinds.add(ContractRequest.of(size).exportable(false));
        if (unlessReadOnlyExports().isEmpty()) {
            kinds.add(ContractRequest.of(size).exports(Access.READ));
        }
        return kinds;
    }

    /** The kinds of buffer that have a descriptor. */
    List<ContractRequest> exportableKinds(long size) {
        return kinds(size).stream().filter(ContractRequest::exportable).toList();
    }

    HeldBuffer allocate(HeapRequest request) {
        HeapBuffer buffer = exporter.allocate(request);
        if (buffer == null) {
            throw new AssertionError(request + " was answered with null");
        }
        return new HeldBuffer(buffer, request);
    }

    HeapException refusal(HeapRequest request) {
        try {
            exporter.allocate(request).release();
        } catch (HeapException e) {
            return e;
        }
        throw new AssertionError(request + " was granted");
    }

    void assertRefused(HeapRequest request, Errno... expected) {
        HeapException refusal = refusal(request);
        if (!List.of(expected).contains(refusal.errno())) {
            throw new AssertionError(
                    request + " was refused with " + refusal.errno() + " and not with one of "
                            + Arrays.toString(expected),
                    refusal);
        }
    }

    void trim() {
        exporter.trim(Long.MAX_VALUE);
    }
}
