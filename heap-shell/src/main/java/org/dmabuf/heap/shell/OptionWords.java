// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Translation of the broker's sentences for the shell: names of Java methods become options of commands. */
final class OptionWords {
    private static final Pattern WITH_EMULATIONS = Pattern.compile("withEmulations\\(\"([^)]*)\"\\)");

    /** Part of the broker's and heaps' sentence on a buffer without a descriptor. */
    private static final String NO_EXPORT =
            "ExportMode.NONE and has no descriptor to give; allocate it with READ_ONLY or READ_WRITE";

    private OptionWords() {}

    /** {@return the sentence with options in place of method calls} */
    static String of(String sentence) {
        String exports = sentence.replace(NO_EXPORT, "--no-export and has no descriptor; allocate it without")
                .replace("ExportMode.NONE", "--no-export")
                .replace("; use READ_WRITE, or a heap", "; leave out --read-only, or use a heap");
        return WITH_EMULATIONS
                .matcher(exports)
                .replaceAll(call ->
                        Matcher.quoteReplacement("--emulated " + call.group(1).replace("\", \"", ",")));
    }
}
