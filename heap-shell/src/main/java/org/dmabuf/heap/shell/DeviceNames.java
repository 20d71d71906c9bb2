// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dmabuf.heap.HeapBroker;

/** Check of the names of devices that a user types. */
final class DeviceNames {
    private DeviceNames() {}

    /**
     * Finds mistyped names. A source may know a device that has no file, so only a name that is neither known nor a
     * file is wrong.
     *
     * @param broker asks the sources
     * @param names as typed
     * @return the names
     * @throws IllegalArgumentException for a wrong name
     */
    static String[] known(HeapBroker broker, List<String> names) {
        for (String name : names) {
            if (broker.demandsOf(name).isEmpty() && !Files.exists(Path.of(name))) {
                throw new IllegalArgumentException("unknown device '" + name
                        + "': expected the path of a device file such as /dev/video0, or a device that an installed"
                        + " bundle knows");
            }
        }
        return names.toArray(String[]::new);
    }
}
