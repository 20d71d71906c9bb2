// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Map;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/**
 * Session of the Gogo shell. This is the only class that calls Gogo.
 *
 * <p>It uses reflection, because Gogo's API is in Gogo's bundle. If the launcher had a copy on its class path and the
 * framework exported it, every bundle with commands would depend on the launcher's version.
 */
final class Console implements AutoCloseable {
    private static final String API = "org.apache.felix.service.command.";

    /** {@code Converter.INSPECT}: the full form of an object, in which the interactive shell prints a result. */
    private static final int INSPECT = 0;

    private final Object session;
    private final PrintStream out;
    private final Method execute;
    private final Method format;
    private final Method get;
    private final Method put;
    private final Method close;

    /**
     * Opens a session.
     *
     * @param in input of the commands
     * @param out the process's own stream: once Gogo runs, {@link System#out} belongs to Gogo and leads back to this
     *     session
     * @param err the process's own error stream, for the same reason
     */
    Console(BundleContext context, InputStream in, PrintStream out, PrintStream err) throws Failure {
        ServiceReference<?> reference = context.getServiceReference(API + "CommandProcessor");
        if (reference == null) {
            throw Failure.of("no shell can run the command: org.apache.felix.gogo.runtime is not active");
        }
        Object processor = context.getService(reference);
        try {
            ClassLoader gogo = processor.getClass().getClassLoader();
            Class<?> type = gogo.loadClass(API + "CommandSession");
            this.session = gogo.loadClass(API + "CommandProcessor")
                    .getMethod("createSession", InputStream.class, OutputStream.class, OutputStream.class)
                    .invoke(processor, in, out, err);
            this.out = out;
            this.execute = type.getMethod("execute", CharSequence.class);
            this.format = type.getMethod("format", Object.class, int.class);
            this.get = type.getMethod("get", String.class);
            this.put = type.getMethod("put", String.class, Object.class);
            this.close = type.getMethod("close");
        } catch (ReflectiveOperationException e) {
            throw Failure.of("this version of Gogo does not match the launcher: " + Sentence.of(e), e);
        }
    }

    /** Sets variables of the session. */
    void set(Map<String, String> variables) throws Failure {
        for (Map.Entry<String, String> variable : variables.entrySet()) {
            call(put, variable.getKey(), variable.getValue());
        }
    }

    /** Runs one command line. Prints its result, if any, as the interactive shell would. */
    void run(String line) throws Failure {
        Object result = call(execute, line);
        if (result != null) {
            String text = call(format, result, INSPECT).toString();
            out.print(text.endsWith("\n") ? text : text + "\n");
        }
        out.flush();
        // For a pipe, Gogo returns or throws the result of the last command. For an earlier command that failed, Gogo
        // has already printed the reason.
        if (call(get, "pipe-exception") instanceof Exception e) {
            throw Failure.of("a command in the pipe failed", e);
        }
    }

    /** Ends the session and its threads. */
    @Override
    public void close() throws Failure {
        call(close);
    }

    private Object call(Method method, Object... arguments) throws Failure {
        try {
            return method.invoke(session, arguments);
        } catch (InvocationTargetException e) {
            throw Failure.of(Sentence.of(e), Sentence.unwrap(e));
        } catch (IllegalAccessException e) {
            throw Failure.of(Sentence.of(e), e);
        }
    }
}
