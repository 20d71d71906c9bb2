// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A sentence of the broker says what a program calls; a person at the shell has an option for it. */
final class OptionWords {
    private static final Pattern WITH_EMULATIONS = Pattern.compile("withEmulations\\(\"([^)]*)\"\\)");

    /** What the broker and heaps say of a buffer without a descriptor. */
    private static final String NO_EXPORT =
            "ExportMode.NONE and has no descriptor to give; allocate it with READ_ONLY or READ_WRITE";

    private OptionWords() {}

    /** {@return the sentence with options in place of calls} */
    static String of(String sentence) {
        return WITH_EMULATIONS
                .matcher(sentence.replace(NO_EXPORT, "--no-export and has no descriptor to give; allocate it without"))
                .replaceAll(call -> Matcher.quoteReplacement("--emulated " + call.group(1).replace("\", \"", ",")));
    }
}
