// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ExportMode;

/**
 * Request for one buffer, as a heap receives it. Immutable: each {@code with} method returns another request. Each
 * method checks its argument. A null throws {@link NullPointerException}, an invalid value
 * {@link IllegalArgumentException} with the expected values.
 */
public final class HeapRequest {
    private final AllocationRequest request;
    private final Optional<ClientId> client;

    private HeapRequest(AllocationRequest request, Optional<ClientId> client) {
        this.request = request;
        this.client = client;
    }

    /**
     * Returns a request without a client, for a buffer that can be exported for reading and writing.
     *
     * @param size requested bytes, at least 1
     * @return a request
     */
    public static HeapRequest of(long size) {
        return new HeapRequest(AllocationRequest.of(size), Optional.empty());
    }

    /**
     * Returns the part of a client's request that concerns a heap.
     *
     * @param request the client's request
     * @param client the client, empty when it is not known
     * @return a request
     */
    public static HeapRequest of(AllocationRequest request, Optional<ClientId> client) {
        return new HeapRequest(Objects.requireNonNull(request), Objects.requireNonNull(client));
    }

    /**
     * Returns this request with another size.
     *
     * @param bytes requested bytes, at least 1
     * @return a request
     */
    public HeapRequest withSize(long bytes) {
        return new HeapRequest(request.withSize(bytes), client);
    }

    /**
     * Returns this request with another alignment.
     *
     * @param bytes a power of two
     * @return a request
     */
    public HeapRequest withAlignment(long bytes) {
        return new HeapRequest(request.withAlignment(bytes), client);
    }

    /**
     * Returns this request with another export mode.
     *
     * @param mode the access of an exported descriptor
     * @return a request
     */
    public HeapRequest withExport(ExportMode mode) {
        return new HeapRequest(request.withExport(mode), client);
    }

    /**
     * Returns this request with a name.
     *
     * @param text 1 to 31 bytes of UTF-8 without control characters
     * @return a request
     */
    public HeapRequest withName(String text) {
        return new HeapRequest(request.withName(text), client);
    }

    /** {@return the requested bytes, at least 1; the heap rounds up as it needs} */
    public long size() {
        return request.size();
    }

    /** {@return alignment in bytes, a power of two; 1 permits any} */
    public long alignment() {
        return request.alignment();
    }

    /**
     * Returns the access of the descriptor that {@link HeapBuffer#descriptor()} makes.
     *
     * @return {@link ExportMode#NONE} for a buffer without a descriptor
     */
    public ExportMode export() {
        return request.export();
    }

    /** {@return the buffer's name in listings, at most 31 bytes of UTF-8 without control characters} */
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
