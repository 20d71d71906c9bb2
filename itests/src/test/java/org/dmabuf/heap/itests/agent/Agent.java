// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.agent;

import java.io.IOException;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.service.cm.ConfigurationAdmin;

/** Activator of a bundle whose command {@code agent:set} changes configurations, as a management console does. */
public final class Agent implements BundleActivator {
    private ConfigurationAdmin admin;

    /** Called by the framework. */
    public Agent() {}

    @Override
    public void start(BundleContext context) {
        admin = context.getService(context.getServiceReference(ConfigurationAdmin.class));
        context.registerService(
                Agent.class,
                this,
                FrameworkUtil.asDictionary(Map.of("osgi.command.scope", "agent", "osgi.command.function", "set")));
    }

    @Override
    public void stop(BundleContext context) {}

    /** Replaces a configuration by one with a single setting. */
    public void set(String pid, String name, String value) throws IOException {
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(name, value);
        admin.getConfiguration(pid, "?").update(properties);
    }
}
