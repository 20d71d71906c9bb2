// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import java.util.Objects;

/**
 * Refusal of a request by a heap, the broker or the kernel. The message is a sentence for a person: it names the heap,
 * the size, what is left where that is known, and what to do. Nothing is held on behalf of the caller when it is
 * thrown.
 */
public final class HeapException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Errno errno;
    private final String heap;
    private final Attempt[] attempts;

    /**
     * A refusal by one heap: the form that an exporter throws.
     *
     * @param errno the kind of refusal; {@link Errno#ENOMEM} and {@link Errno#ENODEV} let the broker go on to the next
     *     heap that meets the request, any other ends the request
     * @param heap the heap's name, empty where no heap is concerned
     * @param message one sentence with size and remedy
     */
    public HeapException(Errno errno, String heap, String message) {
        this(errno, heap, message, null, List.of());
    }

    /**
     * A refusal by one heap, with its cause.
     *
     * @param errno the kind of refusal
     * @param heap the heap's name, empty where no heap is concerned
     * @param message one sentence with size and remedy
     * @param cause what led to it, or null
     */
    public HeapException(Errno errno, String heap, String message, Throwable cause) {
        this(errno, heap, message, cause, List.of());
    }

    /**
     * A refusal of a whole request: the form that a broker throws.
     *
     * @param errno the kind of refusal
     * @param heap the heap that decided it, empty where no single one did
     * @param message one sentence with size and remedy
     * @param cause the last heap's own exception, or null
     * @param attempts every heap that was looked at, in order
     */
    public HeapException(Errno errno, String heap, String message, Throwable cause, List<Attempt> attempts) {
        super(message, cause);
        this.errno = Objects.requireNonNull(errno);
        this.heap = Objects.requireNonNull(heap);
        this.attempts = attempts.toArray(Attempt[]::new);
    }

    /** {@return the kind of refusal} */
    public Errno errno() {
        return errno;
    }

    /** {@return the heap that decided it, empty where no single one did} */
    public String heap() {
        return heap;
    }

    /**
     * The message for a sentence that has named the heap already.
     *
     * @return the message without the {@code heap 'NAME':} that it begins with, if it does
     */
    public String reason() {
        String message = String.valueOf(getMessage());
        String itself = "heap '" + heap + "': ";
        return message.startsWith(itself) ? message.substring(itself.length()) : message;
    }

    /**
     * {@return every heap that the broker looked at, in order, each with its own reason; empty for an exporter's own}
     */
    public List<Attempt> attempts() {
        return List.of(attempts);
    }
}
