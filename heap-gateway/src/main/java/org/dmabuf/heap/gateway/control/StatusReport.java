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
 * Snapshot of a gateway's state.
 *
 * @param version of the gateway
 * @param process number of its process
 * @param up time since the process started
 * @param bundles bundles that do not run
 * @param heaps all heaps that the broker lists
 * @param heapsUnknown reason why the heaps cannot be listed
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

    /** Shell or command of a client. */
    record AttachedSession(String kind, String user, Duration since) {}

    StatusReport {
        bundles = List.copyOf(bundles);
        heaps = List.copyOf(heaps);
        sessions = List.copyOf(sessions);
    }

    /** {@return whether every bundle runs and every heap that should serve does} */
    boolean isWell() {
        return bundles.isEmpty() && heapsUnknown.isEmpty() && heaps.stream().noneMatch(StatusReport::isWrong);
    }

    static boolean isWrong(HeapInfo heap) {
        return WRONG.contains(heap.state());
    }
}
