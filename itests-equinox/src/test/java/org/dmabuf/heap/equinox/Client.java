// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.equinox;

import java.util.List;
import java.util.Map;

/**
 * The test's interface to a client bundle. It names no type of the API, because the API classes on the test's class
 * path differ from those of the bundle.
 */
public interface Client {
    /**
     * Allocates one buffer from a heap. The buffer stays open, mapped and exported.
     *
     * @param heap the name of the heap
     * @param text the text to write into the buffer
     */
    void take(String heap, String text);

    /** {@return the text in the buffer, read through a new mapping} */
    String readAgain();

    /** {@return the text in the buffer, read through the mapping that wrote it} */
    String readMapped();

    /** {@return whether the kernel reports the same memory for the descriptor as for the buffer} */
    boolean isExported();

    /** Ends the mapping, and closes the descriptor and the buffer. */
    void giveBack();

    /** {@return each heap that the broker lists: its name, its state and its back end} */
    List<String> heaps();

    /** {@return buffers that the monitor has charged, to all heaps together, live or lingering} */
    long charged();

    /** Sets the configuration of a component; an empty configuration is deleted. */
    void configure(String pid, Map<String, Object> settings);
}
