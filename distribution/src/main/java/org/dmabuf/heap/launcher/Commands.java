// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Arrays;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import org.osgi.framework.BundleContext;

/**
 * The two commands that Gogo expects from its host. Gogo finds them by service properties and calls methods by name.
 */
final class Commands {
    private static final int MAX_STATUS = 255;

    private final Runnable end;
    private volatile boolean exitSaid;
    private volatile int status;

    /** @param end action of {@code exit} */
    Commands(Runnable end) {
        this.end = end;
    }

    void register(BundleContext context) {
        Dictionary<String, Object> properties = new Hashtable<>(
                Map.of("osgi.command.scope", "gateway", "osgi.command.function", new String[] {"exit", "default"}));
        context.registerService(Object.class, this, properties);
    }

    /**
     * Runs the command {@code exit}. Without it Gogo's shell ends only with Ctrl-D.
     *
     * <p>In a client's session, which the bundle heap-gateway runs, it ends that session instead of the gateway. It
     * finds the session by the thread group, since the launcher has no access to the class of the session.
     *
     * @param words no word, or the exit status
     */
    public void exit(Object[] words) {
        int given = words.length == 0 ? 0 : status(words);
        for (ThreadGroup group = Thread.currentThread().getThreadGroup(); group != null; group = group.getParent()) {
            if (group instanceof IntConsumer session) {
                session.accept(given);
                return;
            }
        }
        status = given;
        exitSaid = true;
        end.run();
    }

    private static int status(Object[] words) {
        String text = String.valueOf(words[0]);
        if (words.length > 1 || !text.matches("[0-9]{1,3}") || Integer.parseInt(text) > MAX_STATUS) {
            throw new Refusal("invalid exit status = "
                    + Arrays.stream(words).map(String::valueOf).collect(Collectors.joining(" "))
                    + ": expected one number, 0 to " + MAX_STATUS);
        }
        return Integer.parseInt(text);
    }

    /** Runs for a command that does not exist. Gogo calls it {@code default}; in Java the name needs an underscore. */
    public void _default(Object[] words) {
        throw new Refusal("unknown command '" + words[0] + "'; try 'help'");
    }

    boolean exitSaid() {
        return exitSaid;
    }

    /** {@return the last exit status that was given; 0 before that} */
    int status() {
        return status;
    }

    /** Failure that prints its sentence only: the interactive shell prints an exception by its {@code toString}. */
    private static final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refusal(String sentence) {
            super(Printable.of(sentence));
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }
}
