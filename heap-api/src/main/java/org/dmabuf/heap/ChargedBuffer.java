// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import org.osgi.annotation.versioning.ProviderType;

/** Buffer that is charged, at one moment. Immutable. */
@ProviderType
public interface ChargedBuffer {
    /** {@return the heap that it came from, {@code adopted} for adopted memory} */
    String heap();

    /** {@return symbolic name of the bundle that allocated or adopted it} */
    String client();

    /** {@return its name, empty for none} */
    String name();

    /** {@return bytes} */
    long size();

    /** {@return inode of its descriptor, once one was exported and while the buffer is live} */
    OptionalLong inode();

    /** {@return references that are open: those of the client, of other clients, and of publications} */
    int references();

    /** {@return mappings whose arenas have not ended} */
    int mappings();

    /** {@return CPU accesses that were begun and not ended} */
    int brackets();

    /** {@return whether a descriptor of it was exported} */
    boolean exported();

    /** {@return whether this process has closed it while a holder has its memory} */
    boolean lingering();

    /** {@return time since it was allocated or adopted, to within a few seconds} */
    Duration age();

    /** {@return where it was allocated, innermost call first; empty unless allocation sites were on then} */
    List<StackTraceElement> site();
}
