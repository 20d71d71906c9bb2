// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Failure of a request by a heap, the broker or the kernel. The message is a sentence for a person: it names the heap,
 * the size, what is left where that is known, and what to do. Nothing is held on behalf of the caller when it is
 * thrown.
 *
 * <p>The class follows from the error number: {@link HeapShortageException} where another try may succeed later,
 * {@link HeapRefusedException} where it will not until the request, a permission or the system is changed, and this
 * class itself for an interrupted call ({@link Errno#EINTR}) and for a heap that is broken ({@link Errno#EIO}).
 */
public class HeapException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    /** Loads the classes early: with the first shortage the process may have no memory to load one. */
    private static final Class<?>[] LOADED = {HeapShortageException.class, HeapRefusedException.class};

    private final Errno errno;
    private final int number;
    /** Null where no heap is concerned. */
    private final String heap;
    private final String reason;
    private final Attempt[] attempts;

    HeapException(Errno errno, int number, String heap, String reason, Throwable cause, List<Attempt> attempts) {
        // A reason of several attempts names each heap itself.
        super(heap == null || attempts.size() > 1 ? reason : "heap '" + heap + "': " + reason, cause);
        this.errno = errno;
        this.number = number;
        this.heap = heap;
        this.reason = reason;
        this.attempts = attempts.toArray(Attempt[]::new);
    }

    /**
     * A failure of one heap: the form that an exporter throws.
     *
     * @param errno the kind of failure; {@link Errno#ENOMEM} and {@link Errno#ENODEV} let the broker go on to the next
     *     heap that meets the request, any other ends the request
     * @param heap the heap's name
     * @param reason one sentence with size and remedy, without the heap's name, which the message puts before it
     * @return to be thrown
     */
    public static HeapException of(Errno errno, String heap, String reason) {
        return of(errno, heap, reason, null);
    }

    /**
     * A failure of one heap, with its cause.
     *
     * @param errno the kind of failure
     * @param heap the heap's name
     * @param reason one sentence with size and remedy, without the heap's name
     * @param cause what led to it, or null
     * @return to be thrown
     */
    public static HeapException of(Errno errno, String heap, String reason, Throwable cause) {
        return make(errno, errno.number(), Objects.requireNonNull(heap), reason, cause, List.of());
    }

    /**
     * A failure that concerns no heap.
     *
     * @param errno the kind of failure
     * @param reason one sentence with the remedy
     * @return to be thrown
     */
    public static HeapException of(Errno errno, String reason) {
        return make(errno, errno.number(), null, reason, null, List.of());
    }

    /**
     * A failure that the kernel reported by a number, which {@link Errno} may not list.
     *
     * @param number the kernel's positive error number
     * @param heap the heap's name, empty where no heap is concerned
     * @param reason one sentence with size and remedy, without the heap's name
     * @return to be thrown; its {@link #errno()} is {@link Errno#EIO} for a number that is not listed
     */
    public static HeapException ofNumber(int number, Optional<String> heap, String reason) {
        return make(Errno.of(number), number, heap.orElse(null), reason, null, List.of());
    }

    /**
     * The failure of a whole request: the form that a broker throws.
     *
     * @param errno the kind of failure
     * @param heap the heap that decided it, empty where no single one did
     * @param reason one sentence with size and remedy, without the name of a heap that alone was looked at
     * @param cause the last heap's own exception, or null; its number is kept when it has the same errno
     * @param attempts every heap that was looked at, in order
     * @return to be thrown
     */
    public static HeapException ofAttempts(
            Errno errno, Optional<String> heap, String reason, Throwable cause, List<Attempt> attempts) {
        int number = cause instanceof HeapException last && last.errno == errno ? last.number : errno.number();
        return make(errno, number, heap.orElse(null), reason, cause, attempts);
    }

    private static HeapException make(
            Errno errno, int number, String heap, String reason, Throwable cause, List<Attempt> attempts) {
        Objects.requireNonNull(reason);
        if (errno == Errno.EINTR || errno == Errno.EIO) {
            return new HeapException(errno, number, heap, reason, cause, attempts);
        }
        return errno.isTransient()
                ? new HeapShortageException(errno, number, heap, reason, cause, attempts)
                : new HeapRefusedException(errno, number, heap, reason, cause, attempts);
    }

    /** {@return the kind of failure} */
    public Errno errno() {
        return errno;
    }

    /** {@return the kernel's error number, also one that {@link Errno} does not list} */
    public int number() {
        return number;
    }

    /** {@return the heap that decided it, empty where no single one did} */
    public Optional<String> heap() {
        return Optional.ofNullable(heap);
    }

    /** {@return the message without the heap's name before it, for a sentence that has named the heap already} */
    public String reason() {
        return reason;
    }

    /**
     * {@return every heap that the broker looked at, in order, each with its own reason; empty for an exporter's own}
     */
    public List<Attempt> attempts() {
        return List.of(attempts);
    }
}
