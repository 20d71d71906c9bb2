// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The heaps that have not started: those that are announced so, and those that Declarative Services failed to activate.
 * No code of a heap is called.
 */
public final class AbsentHeaps {
    private final UnavailableHeaps announced;
    private final StartFailures failures;

    public AbsentHeaps(UnavailableHeaps announced, StartFailures failures) {
        this.announced = announced;
        this.failures = failures;
    }

    /** {@return the heaps that are absent at this moment} */
    public Now now() {
        return new Now(announced.list(), failures.byComponent());
    }

    /** Absent heaps of one moment. Immutable. */
    public static final class Now {
        private final List<UnavailableHeaps.Unavailable> all;
        private final Map<Long, UnavailableHeaps.Unavailable> failed;

        private Now(
                List<UnavailableHeaps.Unavailable> announced, Map<Long, UnavailableHeaps.Unavailable> failed) {
            this.failed = failed;
            List<UnavailableHeaps.Unavailable> both = new ArrayList<>(announced);
            both.addAll(failed.values());
            all = List.copyOf(both);
        }

        /** {@return all of them, in no order} */
        public List<UnavailableHeaps.Unavailable> all() {
            return all;
        }

        /**
         * {@return whether a component of Declarative Services is one that could not be activated}
         *
         * @param component its {@code component.id}, or null
         */
        public boolean isFailed(Object component) {
            return failed.containsKey(component);
        }
    }
}
