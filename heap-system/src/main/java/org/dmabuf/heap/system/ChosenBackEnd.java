// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import org.dmabuf.heap.linux.component.BackEnds;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.slf4j.Logger;

/** Back end that a heap takes its memory from, with a log line if the machine lacks a better one. */
final class ChosenBackEnd {
    private ChosenBackEnd() {}

    /**
     * Opens a back end.
     *
     * @param word its name, or {@link BackEnds#AUTO}
     * @param heap named in the log
     * @throws org.dmabuf.heap.HeapException as {@link BackEnds#choose} and {@link BackEnds.Choice#opened}
     */
    static OpenedHeap open(BackEnds backEnds, String word, String heap, Logger log) {
        BackEnds.Choice choice = backEnds.choose(word);
        return choice.opened().then(source -> {
            if (!choice.passedOver().isEmpty()) {
                log.info("heap '{}' takes its memory from {}", heap, choice.word() + ", since " + choice.passedOver());
            }
            return source;
        });
    }
}
