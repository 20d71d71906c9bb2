// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Arrays;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import org.osgi.framework.BundleContext;

/** The two commands that Gogo leaves to its host. Gogo finds them by service properties, methods by name. */
final class Commands {
    private static final int MAX_STATUS = 255;

    private final Runnable end;
    private volatile boolean exitSaid;
    private volatile int status;

    /** @param end what {@code exit} does, besides being remembered */
    Commands(Runnable end) {
        this.end = end;
    }

    void register(BundleContext context) {
        Dictionary<String, Object> properties = new Hashtable<>(Map.of(
                "osgi.command.scope", "gateway",
                "osgi.command.function", new String[] {"exit", "default"}));
        context.registerService(Object.class, this, properties);
    }

    /**
     * The command {@code exit}. Gogo's shell itself ends with Ctrl-D only.
     *
     * <p>A client's session, which the bundle heap-gateway runs, is left instead of the gateway. The session is known
     * by the group of its threads, since Gogo's sessions are no class of the launcher.
     *
     * @param words nothing, or the exit status
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

    /** What Gogo calls for a command that does not exist: {@code default} to Gogo, with the underscore for Java. */
    public void _default(Object[] words) {
        throw new Refusal("no command '" + words[0] + "'; try 'help'");
    }

    boolean exitSaid() {
        return exitSaid;
    }

    /** {@return the exit status that was said last; 0 before that} */
    int status() {
        return status;
    }

    /** Says its sentence and no more: the interactive shell prints an exception as its {@code toString}. */
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
