// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/** State of a heap at the broker. A minor version may add states. */
public enum HeapState {
    /** It takes requests. */
    SERVING,
    /**
     * It takes requests, but calls of its code hang: unmapping, releasing or reporting usage. Its memory may not be
     * released.
     */
    HANGING,
    /** It is not announced yet, because a resource is short or another heap has its name. The start is repeated. */
    WAITING,
    /** It could not start. The start is repeated only after its configuration or the machine is changed. */
    FAILED,
    /** Its announcement is invalid: no name, a name or id out of range, or a property of the wrong type. */
    REFUSED,
    /** Another heap has its name or id. It takes over when that heap leaves. */
    SHADOWED,
    /** It is leaving: calls in progress finish, new calls are refused. */
    DRAINING,
    /** It has left; its buffers stay valid, or linger with other processes. */
    DEPARTED
}
