// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Optional;

/**
 * A component's commands, as a service: from their syntaxes the tab key knows their options, so that a new option
 * completes by itself.
 */
interface CommandSet {
    /** {@return what each command takes} */
    List<Syntax> syntaxes();

    /**
     * What one of these commands can be given in a place that only this component knows the names for. Files, and the
     * values of {@code --heap} and {@code --emulated}, are completed for all commands alike.
     *
     * @param place of an argument the word of the syntax that stands for it, such as {@code NAME}; of an option's value
     *     the option, such as {@code --mask}
     * @return what is offered; empty where the component knows nothing of it
     */
    default Optional<List<String>> values(String place) {
        return Optional.empty();
    }
}
