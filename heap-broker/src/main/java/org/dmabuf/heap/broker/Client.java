// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** One using bundle: what it has open, until it stops. */
final class Client {
    private final String bundle;
    private final Set<Holding> holdings = ConcurrentHashMap.newKeySet();
    /** Why, once it has; null until then. */
    private volatile String stopped;

    /**
     * A client that holds nothing.
     *
     * @param bundle symbolic name, for messages
     */
    Client(String bundle) {
        this.bundle = bundle;
    }

    String bundle() {
        return bundle;
    }

    /** Throws {@link IllegalStateException} when the bundle, or the broker, has stopped. */
    void requireActive() {
        String why = stopped;
        if (why != null) {
            throw new IllegalStateException(why + ": buffers were taken back; get the service HeapBroker again");
        }
    }

    /**
     * Registers something that the client opened. When the bundle stops meanwhile it is ended at once.
     *
     * @return the holding
     * @throws IllegalStateException when the bundle has stopped
     */
    <H extends Holding> H keep(H holding) {
        holdings.add(holding);
        if (stopped != null) {
            holding.reclaim();
            requireActive();
        }
        return holding;
    }

    void forget(Holding holding) {
        holdings.remove(holding);
    }

    /**
     * Ends everything that the client left open.
     *
     * @param why for whoever still calls
     * @return how many things that were
     */
    int stop(String why) {
        stopped = why;
        int left = 0;
        for (Holding holding : holdings) {
            holding.reclaim();
            left++;
        }
        return left;
    }
}
