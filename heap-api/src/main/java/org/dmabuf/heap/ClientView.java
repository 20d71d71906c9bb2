// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import org.osgi.annotation.versioning.ProviderType;

/**
 * The broker as a client outside the framework sees it, see {@link HeapBroker#openView}. Its buffers are charged to
 * that client, and the rules for that client apply. Any thread may call any method.
 */
@ProviderType
public interface ClientView extends HeapBroker, AutoCloseable {
    /** {@return the client for which it was opened} */
    ClientId client();

    /**
     * Takes back every reference, CPU access, descriptor, publication and view that was opened through this view, and
     * waits at most two seconds until the heaps have the memory. Every method but {@link #client()} throws {@link
     * IllegalStateException} from then on. Closing twice does nothing. A view also closes when the bundle stops that
     * opened it.
     */
    @Override
    void close();
}
