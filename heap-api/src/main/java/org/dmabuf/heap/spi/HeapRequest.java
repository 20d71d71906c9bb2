// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ExportMode;

/**
 * Request for one buffer, as a heap sees it. Immutable: each {@code with} method returns another request. Values are
 * checked where they are given, with an {@link IllegalArgumentException} that names what is expected.
 */
public final class HeapRequest {
    private final AllocationRequest request;
    private final Optional<ClientId> client;

    private HeapRequest(AllocationRequest request, Optional<ClientId> client) {
        this.request = request;
        this.client = client;
    }

    /**
     * A request of no particular client, exportable for reading and writing.
     *
     * @param size bytes wanted, at least 1
     * @return a request
     */
    public static HeapRequest of(long size) {
        return new HeapRequest(AllocationRequest.of(size), Optional.empty());
    }

    /**
     * The part of a client's request that concerns a heap.
     *
     * @param request the client's request
     * @param client the client, empty when it is not known
     * @return a request
     */
    public static HeapRequest of(AllocationRequest request, Optional<ClientId> client) {
        return new HeapRequest(Objects.requireNonNull(request), Objects.requireNonNull(client));
    }

    /**
     * The same request for another size.
     *
     * @param bytes bytes wanted, at least 1
     * @return a request
     */
    public HeapRequest withSize(long bytes) {
        return new HeapRequest(request.withSize(bytes), client);
    }

    /**
     * The same request for another alignment.
     *
     * @param bytes a power of two
     * @return a request
     */
    public HeapRequest withAlignment(long bytes) {
        return new HeapRequest(request.withAlignment(bytes), client);
    }

    /**
     * The same request with another export mode.
     *
     * @param mode what the holder of a descriptor may do
     * @return a request
     */
    public HeapRequest withExport(ExportMode mode) {
        return new HeapRequest(request.withExport(mode), client);
    }

    /**
     * The same request with a name.
     *
     * @param text 1 to 31 bytes of UTF-8 without control characters
     * @return a request
     */
    public HeapRequest withName(String text) {
        return new HeapRequest(request.withName(text), client);
    }

    /** {@return bytes wanted, at least 1; the heap rounds up as it needs} */
    public long size() {
        return request.size();
    }

    /** {@return alignment in bytes, a power of two, 1 for any} */
    public long alignment() {
        return request.alignment();
    }

    /**
     * Whether {@link HeapBuffer#descriptor()} will be wanted, and what it permits.
     *
     * @return {@link ExportMode#NONE} when there will be no descriptor
     */
    public ExportMode export() {
        return request.export();
    }

    /** {@return a name for people, at most 31 bytes of UTF-8 without control characters} */
    public Optional<String> name() {
        return request.name();
    }

    /** {@return the client that the memory is charged to; empty when the request did not come from a broker} */
    public Optional<ClientId> client() {
        return client;
    }

    @Override
    public String toString() {
        return "request of " + size() + " bytes aligned to " + alignment() + ", export " + export()
                + name().map(text -> ", '" + text + "'").orElse("");
    }
}
