// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.lang.reflect.InvocationTargetException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.util.concurrent.ExecutionException;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Text of an exception for a user: one line without a stack trace, in the same form as the launcher's messages. The
 * launcher has its own copy, because it works without this bundle.
 */
final class Sentence {
    /** Java's message for a thread that the kernel refused, without Java's guess at the reason. */
    private static final String NO_THREAD = "unable to create native thread";

    private Sentence() {}

    static String of(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null
                && (root instanceof InvocationTargetException || root instanceof ExecutionException)) {
            root = root.getCause();
        }
        return Printable.of(words(root).strip().replaceAll("\\s*\\R\\s*", " "));
    }

    /** Messages that consist of one word or of a path need the kind of exception in front. */
    private static String words(Throwable root) {
        String kind = root.getClass().getSimpleName();
        String message = message(root);
        if (message == null || message.isBlank()) {
            return kind;
        }
        if (root instanceof OutOfMemoryError && message.startsWith(NO_THREAD)) {
            return NO_THREAD
                    + "; raise the limit of threads (TasksMax= in the unit, pids.max of the cgroup, ulimit -u)";
        }
        if (root instanceof FileSystemException failed && failed.getReason() == null) {
            return (root instanceof AccessDeniedException ? "permission denied" : kind) + ": " + message;
        }
        return message.strip().matches("(?s).*\\s.*") ? message : kind + ": " + message.strip();
    }

    /** An exception of foreign code may throw from its own {@code getMessage}; that counts as no message. */
    private static String message(Throwable thrown) {
        try {
            return thrown.getMessage();
        } catch (RuntimeException | StackOverflowError e) {
            return null;
        }
    }
}
