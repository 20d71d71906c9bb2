// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.dmabuf.heap.Errno;

/** Answer of a device to the memory of one buffer. Immutable. */
public final class ProbeOutcome {
    /** Kind of the answer. A minor version may add more. */
    public enum Result {
        /** The device mapped the memory. It proves something for the addresses of this buffer only. */
        ACCEPTED,
        /** The device took the descriptor but has not mapped the memory, so nothing else is proven. */
        ATTACHED,
        /** The device mapped a copy of the memory, which the kernel makes for each transfer. */
        BOUNCED,
        /** The device refused the memory. */
        REFUSED
    }

    /** Errors of a device that is in use or gone, and of the descriptor, which are no answers to the memory. */
    private static final Set<Errno> NOT_OF_MEMORY = Set.of(Errno.EBUSY, Errno.ENODEV, Errno.ENXIO, Errno.EBADF);

    private final Result result;
    /** The call that refused, empty for another result. */
    private final String operation;
    /** The kernel's error number, 0 unless refused. */
    private final int number;
    /** Bytes of the copy, 0 unless bounced. */
    private final long bytes;

    private final boolean bounceObservable;

    private ProbeOutcome(Result result, String operation, int number, long bytes, boolean bounceObservable) {
        this.result = result;
        this.operation = operation;
        this.number = number;
        this.bytes = bytes;
        this.bounceObservable = bounceObservable;
    }

    /**
     * Returns the outcome of a device that mapped the memory.
     *
     * @param bounceObservable whether it was observed that the kernel copies nothing; otherwise a copy is possible
     * @return an outcome
     */
    public static ProbeOutcome accepted(boolean bounceObservable) {
        return new ProbeOutcome(Result.ACCEPTED, "", 0, 0, bounceObservable);
    }

    /**
     * Returns the outcome of a device that takes descriptors and maps the memory later.
     *
     * @return an outcome
     */
    public static ProbeOutcome attached() {
        return new ProbeOutcome(Result.ATTACHED, "", 0, 0, false);
    }

    /**
     * Returns the outcome of a device that mapped a copy.
     *
     * @param bytes bytes of the copy, as observed several times
     * @return an outcome
     * @throws IllegalArgumentException for less than 1 byte
     */
    public static ProbeOutcome bounced(long bytes) {
        if (bytes < 1) {
            throw new IllegalArgumentException("invalid bytes = " + bytes + ": expected at least 1");
        }
        return new ProbeOutcome(Result.BOUNCED, "", 0, bytes, true);
    }

    /**
     * Returns the outcome of a device that refused the memory.
     *
     * @param operation the call that refused, such as {@code PREPARE_BUF}
     * @param number the kernel's positive error number
     * @return an outcome
     * @throws IllegalArgumentException for another number
     */
    public static ProbeOutcome refused(String operation, int number) {
        Objects.requireNonNull(operation, "invalid operation = null: expected the name of a call");
        if (number < 1) {
            throw new IllegalArgumentException("invalid number = " + number + ": expected a positive error number");
        }
        return new ProbeOutcome(Result.REFUSED, operation, number, 0, false);
    }

    /** {@return the kind of the answer} */
    public Result result() {
        return result;
    }

    /** {@return the call that refused; empty for another result} */
    public Optional<String> operation() {
        return result == Result.REFUSED ? Optional.of(operation) : Optional.empty();
    }

    /** {@return the kernel's error number of a refusal; empty for another result} */
    public OptionalInt number() {
        return result == Result.REFUSED ? OptionalInt.of(number) : OptionalInt.empty();
    }

    /** {@return bytes that the kernel copies for each transfer; empty for another result} */
    public OptionalLong bouncedBytes() {
        return result == Result.BOUNCED ? OptionalLong.of(bytes) : OptionalLong.empty();
    }

    /** {@return whether copies of the kernel could be observed; false for a refusal, which makes none} */
    public boolean isBounceObservable() {
        return bounceObservable;
    }

    /**
     * Returns whether the answer rules out later buffers of the same kind, so that it is worth remembering. A refusal
     * for a reason that passes, such as a lack of memory or a busy device, rules out nothing.
     *
     * @return true for a copy, and for a refusal that is not transient
     */
    public boolean isLasting() {
        return switch (result) {
            case BOUNCED -> true;
            case REFUSED -> {
                Errno errno = Errno.of(number);
                yield !errno.isTransient() && !NOT_OF_MEMORY.contains(errno);
            }
            case ACCEPTED, ATTACHED -> false;
        };
    }

    @Override
    public boolean equals(Object other) {
        return other == this
                || other instanceof ProbeOutcome outcome
                        && result == outcome.result
                        && operation.equals(outcome.operation)
                        && number == outcome.number
                        && bytes == outcome.bytes
                        && bounceObservable == outcome.bounceObservable;
    }

    @Override
    public int hashCode() {
        return Objects.hash(result, operation, number, bytes, bounceObservable);
    }

    /** {@return the outcome in words, such as {@code PREPARE_BUF refused its memory with EFAULT}} */
    @Override
    public String toString() {
        return switch (result) {
            case ACCEPTED ->
                bounceObservable
                        ? "accepted, and the kernel copies nothing"
                        : "accepted; copies of the kernel are not observable";
            case ATTACHED -> "attached; the device maps the memory at its first use";
            case BOUNCED -> "the kernel copies " + bytes + " bytes for each transfer";
            case REFUSED -> operation + " refused its memory with " + name();
        };
    }

    private String name() {
        Errno errno = Errno.of(number);
        return errno.number() == number ? errno.name() : "error " + number;
    }
}
