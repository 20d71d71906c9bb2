// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.io.Serializable;
import java.util.Objects;

/** Failed attempt to allocate from one heap, with the reason. Immutable. */
public final class Attempt implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String heap;
    private final Errno errno;
    private final String reason;

    /**
     * Records one heap's refusal.
     *
     * @param heap the heap's name
     * @param errno the heap's error; {@link Errno#ENODEV} for a heap that was skipped because it does not meet the
     *     request
     * @param reason one sentence for a person, without the heap's name
     */
    public Attempt(String heap, Errno errno, String reason) {
        this.heap = Objects.requireNonNull(heap);
        this.errno = Objects.requireNonNull(errno);
        this.reason = Objects.requireNonNull(reason);
    }

    /** {@return the heap's name} */
    public String heap() {
        return heap;
    }

    /** {@return the error of the heap, or of the broker for this heap} */
    public Errno errno() {
        return errno;
    }

    /** {@return one sentence for a person} */
    public String reason() {
        return reason;
    }

    @Override
    public String toString() {
        return heap + ": " + errno + ", " + reason;
    }
}
