// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Optional;

/** One thing that every heap must do, or the reason why this heap need not. Immutable. */
public final class ContractCase {
    /** What a case does; any exception is a failure of the heap. */
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

    /** {@return a sentence with underscores for blanks: the same for every heap, and unique among the cases} */
    public String name() {
        return name;
    }

    /** {@return why the case does not run on this heap: its announcement, or a skip; empty when it runs} */
    public Optional<String> skipReason() {
        return skipReason;
    }

    /**
     * Runs the case, and checks that the process holds no descriptor and no shared mapping afterwards that it did not
     * hold before. Memory that the heap keeps for speed is trimmed first. No other test may run in the process.
     *
     * @throws AssertionError when the heap does not keep the contract; its message begins with the names of the heap
     *     and of the case
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

    /** Names the case: a report may have a number for it only. */
    private AssertionError failed(String how, Throwable cause) {
        return new AssertionError("heap '" + heap.name() + "', " + name + ": " + how, cause);
    }

    ContractCase skippedBecause(String reason) {
        // What the heap announces is the better reason.
        return new ContractCase(heap, name, skipReason.or(() -> Optional.of(reason)), body);
    }

    @Override
    public String toString() {
        return name + skipReason.map(reason -> " (skipped: " + reason + ")").orElse("");
    }
}
