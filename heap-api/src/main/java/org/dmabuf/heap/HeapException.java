// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.dmabuf.heap.constraint.DemandConflict;

/**
 * Failure of a request, reported by a heap, the broker or the kernel. The message names the heap, the size, the
 * remaining memory where it is known, and a remedy. When it is thrown, the failed call holds nothing for the caller.
 *
 * <p>The error number decides the class. {@link HeapShortageException}: the same request may succeed later.
 * {@link HeapRefusedException}: it fails until the request, a permission or the system is changed. This class itself:
 * the call was interrupted ({@link Errno#EINTR}), or the heap is broken ({@link Errno#EIO}).
 */
public class HeapException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    /** Loads the classes early: during a shortage the process may lack the memory to load them. */
    private static final Class<?>[] LOADED = {HeapShortageException.class, HeapRefusedException.class};

    private final Errno errno;
    private final int number;
    /** Null for a failure that concerns no heap. */
    private final String heap;

    private final String reason;
    private final Attempt[] attempts;
    /** Null for a failure without a conflict of demands. */
    private final DemandConflict conflict;

    HeapException(Errno errno, int number, String heap, String reason, Throwable cause, List<Attempt> attempts) {
        this(errno, number, heap, reason, cause, attempts, null);
    }

    HeapException(
            Errno errno,
            int number,
            String heap,
            String reason,
            Throwable cause,
            List<Attempt> attempts,
            DemandConflict conflict) {
        // The reason of several attempts already names each heap.
        super(heap == null || attempts.size() > 1 ? reason : "heap '" + heap + "': " + reason, cause);
        this.errno = errno;
        this.number = number;
        this.heap = heap;
        this.reason = reason;
        this.attempts = attempts.toArray(Attempt[]::new);
        this.conflict = conflict;
    }

    /**
     * Returns a failure of one heap, as an exporter throws it.
     *
     * @param errno the kind of failure; after {@link Errno#ENOMEM} and {@link Errno#ENODEV} the broker asks the next
     *     heap that meets the request; any other error ends the request
     * @param heap the heap's name
     * @param reason one sentence with size and remedy, without the heap's name, which the constructor prepends
     * @return the exception to throw
     */
    public static HeapException of(Errno errno, String heap, String reason) {
        return of(errno, heap, reason, null);
    }

    /**
     * Returns a failure of one heap, with its cause.
     *
     * @param errno the kind of failure
     * @param heap the heap's name
     * @param reason one sentence with size and remedy, without the heap's name
     * @param cause the exception that caused it, or null
     * @return the exception to throw
     */
    public static HeapException of(Errno errno, String heap, String reason, Throwable cause) {
        return make(errno, errno.number(), Objects.requireNonNull(heap), reason, cause, List.of());
    }

    /**
     * Returns a failure that concerns no heap.
     *
     * @param errno the kind of failure
     * @param reason one sentence with the remedy
     * @return the exception to throw
     */
    public static HeapException of(Errno errno, String reason) {
        return make(errno, errno.number(), null, reason, null, List.of());
    }

    /**
     * Returns a failure for an error number of the kernel, which may be missing in {@link Errno}.
     *
     * @param number the kernel's positive error number
     * @param heap the heap's name, empty for a failure that concerns no heap
     * @param reason one sentence with size and remedy, without the heap's name
     * @return the exception to throw; its {@link #errno()} is {@link Errno#EIO} for a number that Linux does
     *     not define
     */
    public static HeapException ofNumber(int number, Optional<String> heap, String reason) {
        return make(Errno.of(number), number, heap.orElse(null), reason, null, List.of());
    }

    /**
     * Returns the failure of a whole request, as a broker throws it.
     *
     * @param errno the kind of failure
     * @param heap the heap whose failure ended the request, empty when several heaps failed
     * @param reason one sentence with size and remedy; if only one heap was considered, without its name
     * @param cause the exception of the last heap, or null; its number is kept if it has the same errno
     * @param attempts every heap that was considered, in order
     * @return the exception to throw
     */
    public static HeapException ofAttempts(
            Errno errno, Optional<String> heap, String reason, Throwable cause, List<Attempt> attempts) {
        int number = cause instanceof HeapException last && last.errno == errno ? last.number : errno.number();
        return make(errno, number, heap.orElse(null), reason, cause, attempts);
    }

    /**
     * Returns the failure of a request whose demands no heap meets together, as a broker throws it.
     *
     * @param operation the failed operation, such as {@code plan for a buffer of 64 KiB}
     * @param conflict the demands
     * @param attempts every heap that was considered, in order
     * @return the exception to throw; its {@link #errno()} is {@link Errno#EINVAL} for a contradiction, otherwise
     *     {@link Errno#ENODEV}
     */
    public static HeapException ofConflict(String operation, DemandConflict conflict, List<Attempt> attempts) {
        Errno errno = conflict.isContradiction() ? Errno.EINVAL : Errno.ENODEV;
        String reason = operation + " failed: " + conflict;
        return new HeapRefusedException(errno, errno.number(), null, reason, null, attempts, conflict);
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

    /** {@return the kernel's error number, also one that Linux does not define} */
    public int number() {
        return number;
    }

    /** {@return the heap whose failure ended the request, empty when several heaps failed or no heap is concerned} */
    public Optional<String> heap() {
        return Optional.ofNullable(heap);
    }

    /** {@return the message without the prepended heap name, for a text that already names the heap} */
    public String reason() {
        return reason;
    }

    /**
     * {@return every heap that the broker considered, in order, each with its reason; empty for an exception of an
     * exporter}
     */
    public List<Attempt> attempts() {
        return List.of(attempts);
    }

    /** {@return the demands that no heap meets together, for a request that failed because of them} */
    public Optional<DemandConflict> conflict() {
        return Optional.ofNullable(conflict);
    }
}
