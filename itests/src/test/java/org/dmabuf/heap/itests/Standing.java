// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import java.util.Arrays;
import java.util.List;

/** What is going on with a buffer when a bundle goes. */
enum Standing {
    CALL_IN_FLIGHT,
    OPEN,
    MAPPED,
    EXPORTED,
    PUBLISHED;

    /** {@return each departure with each standing, by their names, as parameters of a test} */
    static List<Object[]> cells() {
        return Arrays.stream(Departure.values())
                .flatMap(departure ->
                        Arrays.stream(values()).map(standing -> new Object[] {departure.name(), standing.name()}))
                .toList();
    }
}
