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
 * A session of the Gogo shell, and the only class that calls Gogo.
 *
 * <p>It does so by reflection: Gogo's API comes with Gogo's bundle. A copy of it on the launcher's class path, exported
 * by the framework, would tie every bundle with commands to the launcher's version for the sake of five calls.
 */
final class Console implements AutoCloseable {
    private static final String API = "org.apache.felix.service.command.";

    /** {@code Converter.INSPECT}: an object in full, which is how the interactive shell prints a result. */
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
     * @param in what commands read
     * @param out the process's own stream: {@link System#out} is Gogo's once Gogo runs, and leads back to this session
     * @param err likewise
     */
    Console(BundleContext context, InputStream in, PrintStream out, PrintStream err) throws Failure {
        ServiceReference<?> reference = context.getServiceReference(API + "CommandProcessor");
        if (reference == null) {
            throw Failure.of("there is no shell to run it: org.apache.felix.gogo.runtime is not active");
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
            throw Failure.of("this Gogo is not the one that the launcher was written for: " + Sentence.of(e), e);
        }
    }

    /** Sets variables of the session. */
    void set(Map<String, String> variables) throws Failure {
        for (Map.Entry<String, String> variable : variables.entrySet()) {
            call(put, variable.getKey(), variable.getValue());
        }
    }

    /** Runs one command line and prints its result, if it has one, as the interactive shell would. */
    void run(String line) throws Failure {
        Object result = call(execute, line);
        if (result != null) {
            String text = call(format, result, INSPECT).toString();
            out.print(text.endsWith("\n") ? text : text + "\n");
        }
        out.flush();
        // Of a pipe, Gogo returns or throws what its last command does. Where an earlier one failed it printed the
        // reason.
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
