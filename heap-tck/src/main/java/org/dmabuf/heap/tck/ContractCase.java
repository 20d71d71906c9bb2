// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Optional;
import org.dmabuf.heap.spi.HeapVerifier;

/**
 * Case of the contract: one requirement for every heap, or the reason why it does not apply to this heap. Immutable.
 */
public final class ContractCase implements HeapVerifier.Check {
    /** Body of a case; any exception or error is a failure of the heap. */
    @FunctionalInterface
    interface Body {
        void run() throws Exception;
    }

    private final HeapUnderTest heap;
    private final String name;
    private final Optional<String> skipReason;
    private final Body body;

    ContractCase(HeapUnderTest heap, String name, Optional<String> skipReason, Body body) {
        this.heap = heap;
        this.name = name;
        this.skipReason = skipReason;
        this.body = body;
    }

    /** {@return a sentence with underscores instead of blanks; the same for every heap, and unique among the cases} */
    @Override
    public String name() {
        return name;
    }

    /**
     * {@return why the case does not run on this heap: an announced property, or a skip; empty for a case that runs}
     */
    @Override
    public Optional<String> skipReason() {
        return skipReason;
    }

    /**
     * Runs the case, then trims the heap's pools, and checks that the process holds no additional descriptor or shared
     * mapping. No other test may run in the process at the same time, unless the cases are those of a
     * {@link HeapVerifier}.
     *
     * <p>The case runs on a thread of its own, for at most five minutes. If it does not return in that time, it has
     * failed, and so have all later cases until it returns. An interrupt of the caller ends the case in the same way,
     * and the caller's thread stays interrupted.
     *
     * @throws AssertionError when the heap breaks the contract; its message begins with the names of the heap and of
     *     the case
     * @throws IllegalStateException for a case that is skipped
     */
    public void run() {
        Throwable cause = fault();
        if (cause != null) {
            // The message names the case, because a report may show only its number.
            throw new AssertionError("heap '" + heap.name() + "', " + name + ": " + sentence(cause), cause);
        }
    }

    @Override
    public Optional<String> failure() {
        return Optional.ofNullable(fault()).map(ContractCase::sentence);
    }

    private Throwable fault() {
        if (skipReason.isPresent()) {
            throw new IllegalStateException(name + " is skipped: " + skipReason.get());
        }
        return heap.faultOf(name, body).orElse(null);
    }

    static String sentence(Throwable cause) {
        return cause instanceof AssertionError ? cause.getMessage() : cause.toString();
    }

    ContractCase skippedBecause(String reason) {
        // A reason from the heap's announcement takes precedence over a skip.
        return new ContractCase(heap, name, skipReason.or(() -> Optional.of(reason)), body);
    }

    @Override
    public String toString() {
        return name + skipReason.map(reason -> " (skipped: " + reason + ")").orElse("");
    }
}
