// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** Report of checks by name, each with {@code passed} or its failure. One thread at a time uses it. */
final class Report {
    /** One check. */
    interface Check {
        void run() throws Exception;
    }

    private final Map<String, String> results = new TreeMap<>();

    /** Runs one check. A missing method of the API fails only this check. */
    void run(String name, Check check) {
        try {
            check.run();
            results.put(name, "passed");
        } catch (Exception | LinkageError | AssertionError e) {
            results.put(name, e + " at " + line(e));
        }
    }

    private static String line(Throwable e) {
        return Arrays.stream(e.getStackTrace())
                .filter(frame -> frame.getClassName().startsWith(SelfCheck.CLIENT)
                        && !frame.getClassName().equals(Expect.class.getName()))
                .findFirst()
                .map(StackTraceElement::toString)
                .orElse("an unknown place");
    }

    Map<String, String> results() {
        return results;
    }
}
