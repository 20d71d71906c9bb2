// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import java.util.Arrays;
import java.util.List;

/** The state of a buffer when a bundle leaves. */
enum Standing {
    CALL_IN_FLIGHT,
    OPEN,
    MAPPED,
    EXPORTED,
    PUBLISHED;

    /** {@return each departure combined with each standing, by their names, as parameters of a test} */
    static List<Object[]> cells() {
        return Arrays.stream(Departure.values())
                .flatMap(departure ->
                        Arrays.stream(values()).map(standing -> new Object[] {departure.name(), standing.name()}))
                .toList();
    }
}
