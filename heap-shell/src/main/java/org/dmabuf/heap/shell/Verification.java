// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.HeapVerifier;

/** Results of the checks of one heap, in the order of their runs. */
final class Verification {
    private static final int INDENT = 9;

    private final HeapInfo heap;
    private final List<Case> cases = new ArrayList<>();

    /** Result of one check. */
    enum Result {
        PASSED("passed"),
        SKIPPED("skipped"),
        FAILED("failed");

        private final String word;

        Result(String word) {
            this.word = word;
        }
    }

    /**
     * One check that ran or was skipped.
     *
     * @param name the requirement, as a sentence
     * @param result the result
     * @param reason why it was skipped or failed; empty for a check that passed
     */
    record Case(String name, Result result, Optional<String> reason) {
        boolean isFailure() {
            return result == Result.FAILED;
        }

        /** {@return lines of at most 80 characters, except for a longer word} */
        String text() {
            return Paragraph.of(
                    "%-8s ".formatted(result.word),
                    name + reason.map(why -> ": " + why.replaceAll("\\s+", " ")).orElse(""),
                    INDENT);
        }

        private Map<String, Object> toMap() {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("name", name);
            map.put("result", result.word);
            reason.ifPresent(why -> map.put("reason", why));
            return map;
        }
    }

    Verification(HeapInfo heap) {
        this.heap = heap;
    }

    /**
     * {@return the lines before the first check}
     *
     * @param checks number of checks
     * @param restarted heaps that do not serve during a restart of the bundle; empty without one
     */
    String announcement(int checks, List<String> restarted) {
        String text = "verifying heap '" + heap.name() + "' of bundle " + heap.bundle() + ", " + checks + " cases";
        String restart = "; the bundle is stopped, started and updated, with its heaps " + String.join(", ", restarted);
        return Paragraph.of("", restarted.isEmpty() ? text : text + restart, 0);
    }

    /** Runs a check unless it is to be skipped, and keeps its result. */
    Case run(HeapVerifier.Check check) {
        Optional<String> reason = check.skipReason();
        Result result = Result.SKIPPED;
        if (reason.isEmpty()) {
            reason = check.failure();
            result = reason.isEmpty() ? Result.PASSED : Result.FAILED;
        }
        Case one = new Case(check.name().replace('_', ' '), result, reason);
        cases.add(one);
        return one;
    }

    String counts() {
        return count(Result.PASSED) + " passed, " + count(Result.FAILED) + " failed, " + count(Result.SKIPPED)
                + " skipped";
    }

    private long count(Result result) {
        return cases.stream().filter(one -> one.result == result).count();
    }

    /** @throws IllegalArgumentException with the counts, if a check has failed */
    void requireNoFailure() {
        if (count(Result.FAILED) > 0) {
            throw new IllegalArgumentException("heap '" + Printable.of(heap.name()) + "' breaks the contract: "
                    + counts() + "; correct the heap, or do not use it");
        }
    }

    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("heap", heap.name());
        map.put("bundle", heap.bundle());
        for (Result result : Result.values()) {
            map.put(result.word, count(result));
        }
        map.put("cases", cases.stream().map(Case::toMap).toList());
        return map;
    }
}
