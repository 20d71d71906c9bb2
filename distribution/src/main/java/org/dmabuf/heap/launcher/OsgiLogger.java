// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.Locale;
import org.osgi.service.log.FormatterLogger;
import org.osgi.service.log.Logger;
import org.osgi.service.log.LoggerConsumer;
import org.slf4j.event.Level;
import org.slf4j.helpers.MessageFormatter;

/**
 * Logger of the {@link OsgiLog}. It is a proxy, because {@link Logger} has five overloads for each of six levels.
 *
 * @param log logger that receives the lines
 * @param printf whether messages are formats of {@link String#format}; otherwise they use {@code {}}
 */
record OsgiLogger(org.slf4j.Logger log, boolean printf) implements InvocationHandler {
    static <L extends Logger> L create(org.slf4j.Logger log, Class<L> type) {
        InvocationHandler handler = new OsgiLogger(log, type == FormatterLogger.class);
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        if (method.getDeclaringClass() == Object.class) {
            return invokeOnHandler(method, arguments);
        }
        String name = method.getName();
        if (name.equals("getName")) {
            return log.getName();
        }
        if (name.endsWith("Enabled")) {
            return log.isEnabledForLevel(level(name.substring("is".length(), name.length() - "Enabled".length())));
        }
        if (arguments[0] instanceof LoggerConsumer<?> consumer) {
            if (log.isEnabledForLevel(level(name))) {
                consumer.accept((Logger) proxy);
            }
        } else {
            write(level(name), (String) arguments[0], flat(arguments));
        }
        return null;
    }

    private void write(Level level, String format, Object[] arguments) {
        if (log.isEnabledForLevel(level)) {
            Throwable thrown = MessageFormatter.getThrowableCandidate(arguments);
            String message = printf
                    ? String.format(Locale.ROOT, format, arguments)
                    : MessageFormatter.basicArrayFormat(format, arguments);
            LogLine.write(log, level, message, thrown);
        }
    }

    /** Returns the arguments after the format, which come as one, two or an array. */
    private static Object[] flat(Object[] arguments) {
        return arguments.length == 2 && arguments[1] instanceof Object[] array
                ? array
                : Arrays.copyOfRange(arguments, 1, arguments.length);
    }

    private static Level level(String name) {
        return name.equals("audit") ? Level.INFO : Level.valueOf(name.toUpperCase(Locale.ROOT));
    }

    private Object invokeOnHandler(Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(this, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
