// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.equinox;

import java.util.List;
import java.util.Map;

/**
 * A client's bundle as the test talks to it. It names no type of the API: those on the test's class path are not those
 * of the bundle.
 */
public interface Client {
    /**
     * Takes one buffer from a heap, which stays open, mapped and exported.
     *
     * @param heap its name
     * @param text what is written into the buffer
     */
    void take(String heap, String text);

    /** {@return the text in the buffer, read through a mapping made now} */
    String readAgain();

    /** {@return the text in the buffer, read through the mapping through which it was written} */
    String readMapped();

    /** {@return whether the descriptor is one of the buffer's memory, as the kernel sees it} */
    boolean isExported();

    /** Ends the mapping, and closes the descriptor and the buffer. */
    void giveBack();

    /** {@return each heap that the broker lists: its name, its state and its back end} */
    List<String> heaps();

    /** {@return buffers that the monitor has charged, to all heaps together, live or lingering} */
    long charged();

    /** Sets the configuration of a component; an empty one is deleted. */
    void configure(String pid, Map<String, Object> settings);
}
