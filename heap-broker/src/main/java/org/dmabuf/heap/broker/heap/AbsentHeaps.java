// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Heaps that have not started: those that are announced as unavailable, and those that Declarative Services failed
 * to activate. This class calls no code of a heap.
 */
public final class AbsentHeaps {
    private final UnavailableHeaps announced;
    private final StartFailures failures;

    public AbsentHeaps(UnavailableHeaps announced, StartFailures failures) {
        this.announced = announced;
        this.failures = failures;
    }

    /** {@return the heaps that are absent now} */
    public Now now() {
        return new Now(announced.list(), failures.byComponent());
    }

    /** The absent heaps of one moment. Immutable. */
    public static final class Now {
        private final List<UnavailableHeaps.Unavailable> all;
        private final Map<Long, UnavailableHeaps.Unavailable> failed;

        private Now(List<UnavailableHeaps.Unavailable> announced, Map<Long, UnavailableHeaps.Unavailable> failed) {
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
         * {@return whether a component is one that Declarative Services failed to activate}
         *
         * @param component its {@code component.id}, or null
         */
        public boolean isFailed(Object component) {
            return failed.containsKey(component);
        }
    }
}
