// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Optional;

/**
 * Case of the contract: one requirement for every heap, or the reason why it does not apply to this heap. Immutable.
 */
public final class ContractCase {
    /** Body of a case; any exception is a failure of the heap. */
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
    public String name() {
        return name;
    }

    /**
     * {@return why the case does not run on this heap: an announced property, or a skip; empty for a case that runs}
     */
    public Optional<String> skipReason() {
        return skipReason;
    }

    /**
     * Runs the case, then trims the heap's pools, and checks that the process holds no additional descriptor or shared
     * mapping. No other test may run in the process at the same time.
     *
     * @throws AssertionError when the heap breaks the contract; its message begins with the names of the heap and of
     *     the case
     * @throws IllegalStateException for a case that is skipped
     */
    public void run() {
        if (skipReason.isPresent()) {
            throw new IllegalStateException(name + " is skipped: " + skipReason.get());
        }
        try {
            heap.trim();
            ProcessState before = ProcessState.now();
            body.run();
            heap.trim();
            before.assertNothingLeft(heap.patience(), heap::trim);
        } catch (AssertionError e) {
            throw failed(e.getMessage(), e);
        } catch (Exception | LinkageError e) {
            throw failed(e.toString(), e);
        }
    }

    /** The message names the case, because a report may show only its number. */
    private AssertionError failed(String how, Throwable cause) {
        return new AssertionError("heap '" + heap.name() + "', " + name + ": " + how, cause);
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
