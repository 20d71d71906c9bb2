// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import java.util.Dictionary;
import java.util.Hashtable;
import org.apache.felix.webconsole.spi.SecurityProvider;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component that permits the web console to start. The console waits for a login with the id {@value #ID}, which
 * {@code etc/gateway.properties} requires. It exists only with a configured password.
 */
@Component(
        configurationPid = "org.dmabuf.heap.console",
        immediate = true,
        service = {})
@Designate(ocd = ConsoleSettings.class)
public final class ConsoleAccess {
    private static final Logger LOG = LoggerFactory.getLogger(ConsoleAccess.class);

    private static final String ID = "dmaheap";
    private static final String REQUIRED = "felix.webconsole.security.providers";
    private static final String FILE = "etc/org.dmabuf.heap.console.cfg";
    /** The password that the web console has by default. */
    private static final String DEFAULT = "admin";

    private ServiceRegistration<SecurityProvider> login;

    /**
     * Registers the login, or logs why the console does not start.
     *
     * @param context of this bundle
     * @param settings user and password
     */
    @Activate
    public ConsoleAccess(BundleContext context, ConsoleSettings settings) {
        if (!ID.equals(context.getProperty(REQUIRED))) {
            LOG.error(
                    "invalid {} = {} in etc/gateway.properties: expected {}; without it, the web console accepts its"
                            + " default password",
                    REQUIRED,
                    context.getProperty(REQUIRED),
                    ID);
        }
        if (settings.password_hash().isEmpty()) {
            LOG.warn("starting the web console failed: no password is configured; set password.hash in {}", FILE);
            return;
        }
        if (settings.user().isEmpty() || settings.user().contains(":")) {
            LOG.error(
                    "invalid user = {} in {}: expected a name without ':'; the web console does not start",
                    Printable.of(settings.user()),
                    FILE);
            return;
        }
        PasswordHash password;
        try {
            password = PasswordHash.parse(settings.password_hash());
        } catch (IllegalArgumentException e) {
            LOG.error("invalid password.hash in {}: {}", FILE, e.getMessage());
            return;
        }
        if (password.isOf(DEFAULT)) {
            LOG.error("invalid password.hash in {}: expected another password than the default one", FILE);
            return;
        }
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(SecurityProvider.PROPERTY_ID, ID);
        login = context.registerService(SecurityProvider.class, new Login(settings.user(), password), properties);
    }

    /** Ends the login, and with it the console. */
    @Deactivate
    public void stop() {
        if (login != null) {
            login.unregister();
        }
    }
}
