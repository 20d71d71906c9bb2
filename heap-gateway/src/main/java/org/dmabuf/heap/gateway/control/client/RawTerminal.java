// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Terminal on standard input, set by the command stty. It is restored, even if a signal ends the process.
 */
final class RawTerminal implements AutoCloseable {
    /** Listener for changes of the size. */
    @FunctionalInterface
    interface Resized {
        void run() throws IOException;
    }

    private static final long STTY_SECONDS = 5;

    private final String before;
    private final Thread hook = new Thread(this::restoreNow, "restore the terminal");
    private volatile int columns;
    private volatile int rows;
    private boolean raw;

    private RawTerminal(String before) {
        this.before = before;
    }

    /** Saves the current settings of the terminal. */
    static RawTerminal open() throws IOException {
        RawTerminal terminal = new RawTerminal(stty("-g"));
        terminal.measure();
        return terminal;
    }

    int columns() {
        return columns;
    }

    int rows() {
        return rows;
    }

    /** {@return the charset of the terminal's user} */
    String charset() {
        String name = System.getProperty("stdout.encoding");
        return name == null ? Charset.defaultCharset().name() : name;
    }

    /** Sends every key at once from now on. The gateway does the echo. */
    synchronized void makeRaw() throws IOException {
        Runtime.getRuntime().addShutdownHook(hook);
        raw = true;
        stty("raw", "-echo");
    }

    /** Watches the size. The JDK has no public interface for this signal; without it, the size does not change. */
    void onResize(Resized resized) {
        try {
            ClassLoader loader = ClassLoader.getSystemClassLoader();
            Class<?> signal = loader.loadClass("sun.misc.Signal");
            Class<?> handler = loader.loadClass("sun.misc.SignalHandler");
            InvocationHandler handle = (proxy, method, arguments) -> switch (method.getName()) {
                case "handle" -> {
                    measure();
                    resized.run();
                    yield null;
                }
                case "equals" -> proxy == arguments[0];
                case "hashCode" -> System.identityHashCode(proxy);
                default -> "window size";
            };
            signal.getMethod("handle", signal, handler)
                    .invoke(
                            null,
                            signal.getConstructor(String.class).newInstance("WINCH"),
                            Proxy.newProxyInstance(loader, new Class<?>[] {handler}, handle));
        } catch (ReflectiveOperationException | IllegalArgumentException e) {
            // the size stays as it was at the start
        }
    }

    private void measure() throws IOException {
        String[] size = stty("size").split(" ");
        try {
            rows = Integer.parseInt(size[0]);
            columns = Integer.parseInt(size[1]);
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            // the terminal does not know its size
        }
    }

    synchronized void restore() {
        if (raw) {
            restoreNow();
            raw = false;
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                // the process is ending, and the hook runs
            }
        }
    }

    private void restoreNow() {
        try {
            stty(before);
        } catch (IOException e) {
            // the terminal is gone
        }
    }

    @Override
    public void close() {
        restore();
    }

    private static String stty(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("stty"));
        command.addAll(Arrays.asList(arguments));
        Process process;
        try {
            process = new ProcessBuilder(command)
                    .redirectInput(ProcessBuilder.Redirect.INHERIT)
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            throw new IOException("setting the terminal failed: the command stty is missing; install coreutils", e);
        }
        try {
            String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
            if (!process.waitFor(STTY_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException("setting the terminal failed: " + printed);
            }
            return printed;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("setting the terminal was interrupted", e);
        } finally {
            process.destroy();
        }
    }
}
