// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import java.util.Optional;
import java.util.function.Function;

/** Kind of a request. Its number on the wire is the ordinal plus one. */
public enum Operation {
    /** Begins a connection and names its client. */
    HELLO(Request.Hello::of),
    /** Allocates one buffer. */
    ALLOCATE(Request.Allocate::of),
    /** Lists the heaps that the client may use. */
    HEAPS(Request.Heaps::of),
    /** Reports the memory that is charged to the client. */
    USAGE(Request.Usage::of),
    /** Lists the published buffers that the client may open. */
    PUBLISHED(Request.Published::of),
    /** Opens a published buffer. */
    OPEN(Request.Open::of);

    private final Function<PacketReader, Request> decoder;

    Operation(Function<PacketReader, Request> decoder) {
        this.decoder = decoder;
    }

    /** {@return the number on the wire} */
    public int number() {
        return ordinal() + 1;
    }

    /** {@return the operation with a number on the wire, if there is one} */
    static Optional<Operation> of(int number) {
        return number >= 1 && number <= values().length ? Optional.of(values()[number - 1]) : Optional.empty();
    }

    Request decode(PacketReader payload) {
        return decoder.apply(payload);
    }
}
