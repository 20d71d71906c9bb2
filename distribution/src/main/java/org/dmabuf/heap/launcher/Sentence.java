// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.lang.reflect.InvocationTargetException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.util.concurrent.ExecutionException;
import org.osgi.framework.BundleException;

/** Text of an exception for a user: its message on one {@link Printable} line, without a stack trace. */
final class Sentence {
    private Sentence() {}

    /**
     * The message of the exception that was thrown on purpose. A message of one word (a class, a path, a number) says
     * too little alone: then the kind of exception goes first, and it stands alone where there is no message. So it is
     * with those of file systems, whose message is the path where the system gave no reason.
     */
    static String of(Throwable thrown) {
        Throwable root = unwrap(thrown);
        String words = words(root).strip();
        // A line break in a path is part of a name, which has to be recognized; elsewhere it is layout.
        return Printable.of(root instanceof FileSystemException ? words : words.replaceAll("\\s*\\R\\s*", " "));
    }

    private static String words(Throwable root) {
        String kind = root.getClass().getSimpleName();
        String message = message(root);
        if (message == null || message.isBlank()) {
            return kind;
        }
        if (root instanceof FileSystemException failed && failed.getReason() == null) {
            return (root instanceof AccessDeniedException ? "permission denied" : kind) + ": " + message;
        }
        String line = message.strip();
        return line.matches("(?s).*\\s.*") ? line : kind + ": " + line;
    }

    /** A vendor's exception may throw from its own {@code getMessage}, which counts as no message. */
    private static String message(Throwable thrown) {
        try {
            return thrown.getMessage();
        } catch (RuntimeException | StackOverflowError e) {
            return null;
        }
    }

    /** What is inside the wrappers of reflection, executors and the framework, which say nothing themselves. */
    static Throwable unwrap(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null
                && (root instanceof InvocationTargetException
                        || root instanceof ExecutionException
                        || root instanceof BundleException)) {
            root = root.getCause();
        }
        return root;
    }
}
