// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import org.osgi.framework.BundleContext;

/** The two commands that Gogo leaves to whoever embeds it. Gogo finds them by service properties, methods by name. */
final class Commands {
    private final Runnable end;
    private volatile boolean exitSaid;

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

    /** The command {@code exit}. Gogo's shell itself ends with Ctrl-D only. */
    public void exit() {
        exitSaid = true;
        end.run();
    }

    /** What Gogo calls for a command that does not exist: {@code default} to Gogo, with the underscore for Java. */
    public void _default(Object[] words) {
        throw new NoSuchCommand(String.valueOf(words[0]));
    }

    boolean exitSaid() {
        return exitSaid;
    }

    /** Says its sentence and no more: the interactive shell prints an exception as its {@code toString}. */
    private static final class NoSuchCommand extends RuntimeException {
        private static final long serialVersionUID = 1L;

        NoSuchCommand(String name) {
            super(Printable.of("no command '" + name + "'; try 'help'"));
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }
}
