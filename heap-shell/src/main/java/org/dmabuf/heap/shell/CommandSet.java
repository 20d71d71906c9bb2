// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Optional;

/**
 * Service of a component that has shell commands. Tab completion reads the options from the syntaxes, so a new option
 * completes without further code.
 */
interface CommandSet {
    /** {@return the syntax of each command} */
    List<Syntax> syntaxes();

    /**
     * Completes a word for which only this component knows the values. Completion itself handles files and the values
     * of {@code --heap} and {@code --emulated}.
     *
     * @param place for an argument, its word in the syntax, such as {@code NAME}; for an option's value, the option,
     *     such as {@code --mask}
     * @return candidates; empty if the component has none
     */
    default Optional<List<String>> values(String place) {
        return Optional.empty();
    }
}
