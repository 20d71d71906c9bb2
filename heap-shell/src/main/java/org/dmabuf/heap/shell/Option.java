// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Optional;

/**
 * One option of a command.
 *
 * @param letter the short form, as in {@code -h}
 * @param name the long form, as in {@code --heap}
 * @param value name of its value in the help; empty for an option without a value
 * @param meaning description for the help
 */
record Option(Optional<Character> letter, String name, Optional<String> value, String meaning) {
    /** Option of every command that prints a table. */
    static final Option JSON = flag("json", "print JSON; its names are stable");

    /** {@return an option without a value} */
    static Option flag(String name, String meaning) {
        return new Option(Optional.empty(), name, Optional.empty(), meaning);
    }

    /** {@return an option without a value, with a short form} */
    static Option flag(char letter, String name, String meaning) {
        return new Option(Optional.of(letter), name, Optional.empty(), meaning);
    }

    /** {@return an option with a value} */
    static Option valued(String name, String value, String meaning) {
        return new Option(Optional.empty(), name, Optional.of(value), meaning);
    }

    /** {@return an option with a value, with a short form} */
    static Option valued(char letter, String name, String value, String meaning) {
        return new Option(Optional.of(letter), name, Optional.of(value), meaning);
    }

    /** {@return whether each digit of the value counts, including leading zeros} */
    boolean isHexadecimal() {
        return value.equals(Optional.of("HEX"));
    }

    /** {@return both forms with the value, as the help shows them} */
    String forms() {
        return letter.map(one -> "-" + one + ", ").orElse("    ") + "--" + name
                + value.map(what -> " " + what).orElse("");
    }
}
