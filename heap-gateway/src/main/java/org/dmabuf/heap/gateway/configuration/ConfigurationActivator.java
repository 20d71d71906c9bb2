// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.nio.file.Path;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.util.tracker.ServiceTracker;
import org.osgi.util.tracker.ServiceTrackerCustomizer;

/**
 * Activator that reads the folder of configuration files while Configuration Admin runs.
 *
 * <p>It is not a component: the files are read when Configuration Admin registers its service, before Declarative
 * Services starts the first component.
 */
public final class ConfigurationActivator
        implements BundleActivator, ServiceTrackerCustomizer<ConfigurationAdmin, ConfigurationWatch> {
    /** Framework property with the folder; the gateway's launcher sets it. */
    private static final String FOLDER = "gateway.etc";

    private BundleContext context;
    private ServiceTracker<ConfigurationAdmin, ConfigurationWatch> tracker;

    /** Called by the framework. */
    public ConfigurationActivator() {}

    @Override
    public void start(BundleContext of) {
        context = of;
        if (context.getProperty(FOLDER) != null) {
            tracker = new ServiceTracker<>(context, ConfigurationAdmin.class, this);
            tracker.open();
        }
    }

    @Override
    public void stop(BundleContext of) {
        if (tracker != null) {
            tracker.close();
        }
    }

    @Override
    public ConfigurationWatch addingService(ServiceReference<ConfigurationAdmin> service) {
        Path folder = Path.of(context.getProperty(FOLDER));
        ConfigurationWatch watch =
                new ConfigurationWatch(context, folder, new FileConfigurations(context.getService(service), folder));
        watch.start();
        return watch;
    }

    @Override
    public void modifiedService(ServiceReference<ConfigurationAdmin> service, ConfigurationWatch watch) {}

    @Override
    public void removedService(ServiceReference<ConfigurationAdmin> service, ConfigurationWatch watch) {
        watch.stop();
        context.ungetService(service);
    }
}
