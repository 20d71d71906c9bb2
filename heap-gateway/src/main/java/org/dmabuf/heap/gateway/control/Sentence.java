// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.lang.reflect.InvocationTargetException;
import java.util.concurrent.ExecutionException;
import org.dmabuf.heap.linux.text.Printable;

/** Text of an exception for a user: one line, without a stack trace, as the launcher prints it for one command. */
final class Sentence {
    private Sentence() {}

    static String of(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null
                && (root instanceof InvocationTargetException || root instanceof ExecutionException)) {
            root = root.getCause();
        }
        String message = root.getMessage();
        if (message == null || message.isBlank()) {
            return root.getClass().getSimpleName();
        }
        String line = Printable.of(message.strip().replaceAll("\\s*\\R\\s*", " "));
        return line.matches("(?s).*\\s.*") ? line : root.getClass().getSimpleName() + ": " + line;
    }
}
