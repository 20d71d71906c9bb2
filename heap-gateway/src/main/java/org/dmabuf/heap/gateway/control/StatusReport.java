// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;

/**
 * The state of a gateway at one moment.
 *
 * @param version of the gateway
 * @param process its number
 * @param up how long the process has run
 * @param bundles those that do not run
 * @param heaps all that the broker has
 * @param heapsUnknown why the heaps are not known
 * @param sessions shells and commands of clients
 */
record StatusReport(
        String version,
        long process,
        Duration up,
        List<IdleBundle> bundles,
        List<HeapInfo> heaps,
        Optional<String> heapsUnknown,
        List<AttachedSession> sessions) {
    private static final Set<HeapState> WRONG =
            EnumSet.of(HeapState.HANGING, HeapState.WAITING, HeapState.FAILED, HeapState.REFUSED);

    /** A shell or a command of a client. */
    record AttachedSession(String kind, String user, Duration since) {}

    StatusReport {
        bundles = List.copyOf(bundles);
        heaps = List.copyOf(heaps);
        sessions = List.copyOf(sessions);
    }

    /** {@return whether every bundle runs and every heap serves that should} */
    boolean isWell() {
        return bundles.isEmpty() && heapsUnknown.isEmpty() && heaps.stream().noneMatch(StatusReport::isWrong);
    }

    static boolean isWrong(HeapInfo heap) {
        return WRONG.contains(heap.state());
    }
}
