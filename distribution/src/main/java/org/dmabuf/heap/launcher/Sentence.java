// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.lang.reflect.InvocationTargetException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.util.concurrent.ExecutionException;
import org.osgi.framework.BundleException;

/** Text of an exception for a user: its message on one {@link Printable} line, without a stack trace. */
final class Sentence {
    /** Java's message for a thread that the kernel refused, without Java's guess at the reason. */
    private static final String NO_THREAD = "unable to create native thread";

    /** Remedy for a thread that the kernel refused. */
    static final String THREAD_REMEDY =
            "raise the limit of threads (TasksMax= in the unit, pids.max of the cgroup, ulimit -u)";

    private Sentence() {}

    /**
     * Returns the message of the innermost relevant exception. If the message has one word only, such as a class, a
     * path or a number, the kind of exception precedes it. Without a message, the result is the kind of exception. The
     * message of a file system's exception is the path if the system gave no reason, so it is treated the same way.
     */
    static String of(Throwable thrown) {
        Throwable root = unwrap(thrown);
        String words = words(root).strip();
        // A line break in a path is part of a name and must stay recognizable; elsewhere it is layout.
        return Printable.of(root instanceof FileSystemException ? words : words.replaceAll("\\s*\\R\\s*", " "));
    }

    private static String words(Throwable root) {
        String kind = root.getClass().getSimpleName();
        String message = message(root);
        if (message == null || message.isBlank()) {
            return kind;
        }
        if (root instanceof OutOfMemoryError && message.startsWith(NO_THREAD)) {
            return NO_THREAD + "; " + THREAD_REMEDY;
        }
        if (root instanceof FileSystemException failed && failed.getReason() == null) {
            return (root instanceof AccessDeniedException ? "permission denied" : kind) + ": " + message;
        }
        String line = message.strip();
        return line.matches("(?s).*\\s.*") ? line : kind + ": " + line;
    }

    /** An exception of foreign code may throw from its own {@code getMessage}; that counts as no message. */
    private static String message(Throwable thrown) {
        try {
            return thrown.getMessage();
        } catch (RuntimeException | StackOverflowError e) {
            return null;
        }
    }

    /** Unwraps the exceptions of reflection, executors and the framework, whose messages add no information. */
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
