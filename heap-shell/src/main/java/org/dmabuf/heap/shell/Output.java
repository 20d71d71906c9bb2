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
import org.dmabuf.heap.linux.text.Printable;

/**
 * Output streams of one command: its own standard output and standard error, including a redirection or pipe. A command
 * does not return its result, because Gogo prints a returned result only at the end of a line without redirection.
 *
 * @param out for the result
 * @param err for progress and waits
 * @param terminal whether a person reads the output on a terminal
 */
record Output(PrintStream out, PrintStream err, boolean terminal) {
    /** {@return the streams of the command that runs on the calling thread} */
    static Output of(CommandSession session) {
        Process process = Process.Utils.current();
        // A session of one command or of a script has no terminal, so neither variable is set.
        Object type = session.get("TERM");
        boolean terminal = type != null && !type.equals("dumb") && process.isTty(1) && process.isTty(2);
        return new Output(process.out(), process.err(), terminal);
    }

    /** Prints text as one or more whole lines. The caller has escaped text of foreign origin. */
    void print(CharSequence text) {
        out.println(text);
        out.flush();
    }

    /** Prints objects as a JSON array, one object a line. */
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

    /** {@return one object as JSON, on one line} */
    static String text(Map<String, Object> object) {
        try {
            StringWriter text = new StringWriter();
            new JSONWriter(text).value(object).flush();
            // The JSON writer leaves some invisible characters unescaped. Their escapes mean the same.
            return Printable.of(text.toString());
        } catch (IOException e) {
            throw new UncheckedIOException("a writer into memory does not fail", e);
        }
    }
}
