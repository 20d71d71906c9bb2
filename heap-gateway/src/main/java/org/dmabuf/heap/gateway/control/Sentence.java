// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.lang.reflect.InvocationTargetException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.util.concurrent.ExecutionException;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Text of an exception for a user: one line, without a stack trace. The launcher has a class like this, which works
 * without this bundle; the two print the failure of one command alike.
 */
final class Sentence {
    private Sentence() {}

    static String of(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null
                && (root instanceof InvocationTargetException || root instanceof ExecutionException)) {
            root = root.getCause();
        }
        return Printable.of(words(root).strip().replaceAll("\\s*\\R\\s*", " "));
    }

    /** A message of one word says too little alone, and so does a path of a file system. */
    private static String words(Throwable root) {
        String kind = root.getClass().getSimpleName();
        String message = message(root);
        if (message == null || message.isBlank()) {
            return kind;
        }
        if (root instanceof FileSystemException failed && failed.getReason() == null) {
            return (root instanceof AccessDeniedException ? "permission denied" : kind) + ": " + message;
        }
        return message.strip().matches("(?s).*\\s.*") ? message : kind + ": " + message.strip();
    }

    /** A vendor's exception may throw from its own {@code getMessage}, which counts as no message. */
    private static String message(Throwable thrown) {
        try {
            return thrown.getMessage();
        } catch (RuntimeException | StackOverflowError e) {
            return null;
        }
    }
}
