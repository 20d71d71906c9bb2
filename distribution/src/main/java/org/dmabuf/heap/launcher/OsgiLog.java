// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceFactory;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.log.FormatterLogger;
import org.osgi.service.log.LogService;
import org.osgi.service.log.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * OSGi Log Service that writes to SLF4J, so that a gateway has one log. Declarative Services reports through it why a
 * component was not activated; without it, stack traces are printed in another format.
 *
 * @param user the bundle that logs, which may differ from the bundle that a line is about
 */
@SuppressWarnings("deprecation") // Configuration Admin calls the four deprecated log methods
record OsgiLog(Bundle user) implements LogService {
    /** Registers the service for every bundle, with an instance for each bundle. */
    static void register(BundleContext context) {
        String[] names = {LogService.class.getName(), org.osgi.service.log.LoggerFactory.class.getName()};
        context.registerService(
                names,
                new ServiceFactory<OsgiLog>() {
                    @Override
                    public OsgiLog getService(Bundle bundle, ServiceRegistration<OsgiLog> registration) {
                        return new OsgiLog(bundle);
                    }

                    @Override
                    public void ungetService(Bundle bundle, ServiceRegistration<OsgiLog> registration, OsgiLog log) {}
                },
                null);
    }

    @Override
    public Logger getLogger(String name) {
        return getLogger(name, Logger.class);
    }

    @Override
    public Logger getLogger(Class<?> type) {
        return getLogger(type.getName(), Logger.class);
    }

    @Override
    public <L extends Logger> L getLogger(Class<?> type, Class<L> loggerType) {
        return getLogger(type.getName(), loggerType);
    }

    /**
     * Returns a logger with the name of the logging bundle. A bundle that logs about another one, such as Declarative
     * Services, keeps its own name: its messages name the other bundle, and one setting controls their level.
     */
    @Override
    public <L extends Logger> L getLogger(Bundle bundle, String name, Class<L> loggerType) {
        return getLogger(user.equals(bundle) ? name : Logger.ROOT_LOGGER_NAME, loggerType);
    }

    @Override
    public <L extends Logger> L getLogger(String name, Class<L> loggerType) {
        if (loggerType != Logger.class && loggerType != FormatterLogger.class) {
            throw new IllegalArgumentException("neither Logger nor FormatterLogger: " + loggerType.getName());
        }
        boolean isRoot = name.equals(Logger.ROOT_LOGGER_NAME);
        return OsgiLogger.create(isRoot ? root() : LoggerFactory.getLogger(Printable.of(name)), loggerType);
    }

    @Override
    public void log(int level, String message) {
        log(null, level, message, null);
    }

    @Override
    public void log(int level, String message, Throwable thrown) {
        log(null, level, message, thrown);
    }

    @Override
    public void log(ServiceReference<?> service, int level, String message) {
        log(service, level, message, null);
    }

    @Override
    public void log(ServiceReference<?> service, int level, String message, Throwable thrown) {
        LogLine.write(root(), toSlf4j(level), message, thrown);
    }

    private org.slf4j.Logger root() {
        String name = user.getSymbolicName();
        return LoggerFactory.getLogger(name == null ? "bundle " + user.getBundleId() : Printable.of(name));
    }

    private static Level toSlf4j(int level) {
        return switch (level) {
            case LOG_ERROR -> Level.ERROR;
            case LOG_WARNING -> Level.WARN;
            case LOG_INFO -> Level.INFO;
            default -> Level.DEBUG;
        };
    }
}
