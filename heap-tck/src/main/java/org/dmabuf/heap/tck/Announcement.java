// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** Properties of a heap, in a form that can be compared: without those of the framework, and arrays as text. */
final class Announcement {
    private Announcement() {}

    static Map<String, String> of(Map<String, Object> properties) {
        Map<String, String> announced = new TreeMap<>();
        properties.forEach((key, value) -> {
            if (key.startsWith("heap.")) {
                announced.put(key, Arrays.deepToString(new Object[] {value}));
            }
        });
        return announced;
    }
}
