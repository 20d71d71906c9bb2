// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import org.osgi.annotation.versioning.ProviderType;

/**
 * View of the broker for a client outside the framework, see {@link HeapBroker#openView}. Buffers allocated through it
 * are charged to that client, and the rules for that client apply. Any thread may call any method.
 */
@ProviderType
public interface ClientView extends HeapBroker, AutoCloseable {
    /** {@return the client for which it was opened} */
    ClientId client();

    /**
     * Closes every reference, CPU access, descriptor, publication and view that was opened through this view. The call
     * waits at most two seconds until the heaps have the memory back. Afterwards every method except {@link #client()}
     * throws {@link IllegalStateException}. Closing twice does nothing. The broker closes a view when the bundle that
     * opened it stops.
     */
    @Override
    void close();
}
