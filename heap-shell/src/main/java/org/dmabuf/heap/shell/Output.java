// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.io.PrintStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Process;
import org.apache.felix.utils.json.JSONWriter;

/**
 * Where a command writes: its own standard output and standard error, which a redirection or a pipe has changed for it
 * alone. A result that is returned instead would be printed by Gogo only at the end of a line without redirection.
 *
 * @param out for the result
 * @param err for what the command does or waits for
 * @param terminal whether a person reads it while the command works
 */
record Output(PrintStream out, PrintStream err, boolean terminal) {
    /** {@return the streams of the command that this thread runs} */
    static Output of(CommandSession session) {
        Process process = Process.Utils.current();
        // A session of one command or a script has no terminal, and neither variable.
        Object type = session.get("TERM");
        boolean terminal = type != null && !type.equals("dumb") && process.isTty(1) && process.isTty(2);
        return new Output(process.out(), process.err(), terminal);
    }

    /** Prints text as one or more whole lines. Text that a stranger may have chosen is made printable before. */
    void print(CharSequence text) {
        out.println(text);
        out.flush();
    }

    /** Prints objects as a JSON array, each on a line of its own. */
    void json(List<Map<String, Object>> objects) {
        StringBuilder text = new StringBuilder("[");
        for (int i = 0; i < objects.size(); i++) {
            text.append(i == 0 ? "\n" : ",\n").append(Output.text(objects.get(i)));
        }
        print(text.append(objects.isEmpty() ? "]" : "\n]"));
    }

    /** Prints one object as JSON. */
    void json(Map<String, Object> object) {
        print(text(object));
    }

    private static String text(Map<String, Object> object) {
        try {
            StringWriter text = new StringWriter();
            new JSONWriter(text).value(object).flush();
            return text.toString();
        } catch (IOException e) {
            throw new UncheckedIOException("a writer in memory does not fail", e);
        }
    }
}
