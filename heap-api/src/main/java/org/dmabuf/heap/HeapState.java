// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/** State of a heap at the broker. More may come in a minor version. */
public enum HeapState {
    /** It takes requests. */
    SERVING,
    /**
     * It takes requests, and calls of its code hang: unmapping, releasing or reporting its usage. Memory of it may not
     * come back.
     */
    HANGING,
    /** It is not announced yet: what it needs is short, or its name is another's. It is tried again. */
    WAITING,
    /** It could not start, and is not tried again before its configuration or the machine is changed. */
    FAILED,
    /** It announced something that cannot be: no name, a name or id out of range, a property of the wrong type. */
    REFUSED,
    /** Another heap has its name or id; it takes over when that one goes. */
    SHADOWED,
    /** It is leaving: calls that are under way finish, new ones are refused. */
    DRAINING,
    /** It has left; buffers of it live on, or linger with other processes. */
    DEPARTED
}
