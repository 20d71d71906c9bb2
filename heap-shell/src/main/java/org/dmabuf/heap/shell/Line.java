// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Parsed command line that matches the command's {@link Syntax}.
 *
 * @param options values by option name; an option without a value has an empty text
 * @param arguments the other words
 * @param help whether only the help is requested
 */
record Line(Map<String, String> options, List<String> arguments, boolean help) {
    Line {
        options = Map.copyOf(options);
        arguments = List.copyOf(arguments);
    }

    /** {@return whether an option is given} */
    boolean has(Option option) {
        return options.containsKey(option.name());
    }

    /** {@return the value of an option; empty if the option is not given} */
    Optional<String> value(Option option) {
        return Optional.ofNullable(options.get(option.name()));
    }

    String argument(int index) {
        return arguments.get(index);
    }
}
