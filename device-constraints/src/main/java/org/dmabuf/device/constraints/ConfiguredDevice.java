// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.constraints;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.component.Settings;
import org.dmabuf.heap.spi.DeviceDemands;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Demands of one device, from one configuration: {@code device} is its path, and each other setting is a kind of demand
 * with its value. An invalid setting makes every request for the device fail, because without the demand it could get
 * memory that it cannot use.
 */
@Component(configurationPid = ConfiguredDevice.PID, configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class ConfiguredDevice implements DeviceDemands {
    static final String PID = "org.dmabuf.device.constraints";

    private static final Logger LOG = LoggerFactory.getLogger(ConfiguredDevice.class);
    private static final String DEVICE = "device";
    /** Properties that the framework adds. */
    private static final Pattern FOREIGN = Pattern.compile("(service|component|felix|osgi)\\..*|objectClass|\\..*");

    private final String device;
    private final List<Demand> demands = new ArrayList<>();
    /** Why the configuration is invalid; null if it is valid. */
    private HeapException invalid;

    /**
     * Reads the configuration.
     *
     * @param properties its settings
     */
    @Activate
    public ConfiguredDevice(Map<String, Object> properties) {
        Settings settings = Settings.of(PID, properties);
        Object path = properties.get(DEVICE);
        device = path instanceof String text ? text.strip() : "";
        if (device.isEmpty()) {
            LOG.error(
                    "{}",
                    settings.absent(DEVICE, "the path of a device file, such as /dev/video0")
                            .reason());
            return;
        }
        new TreeMap<>(properties).forEach((kind, value) -> {
            if (!kind.equals(DEVICE) && !FOREIGN.matcher(kind).matches()) {
                add(settings, kind, value.toString().strip());
            }
        });
    }

    private void add(Settings settings, String kind, String value) {
        try {
            demands.add(Demand.of(device, ConstraintKind.named(kind), value, settings.place(kind)));
        } catch (IllegalArgumentException e) {
            String message = e.getMessage();
            invalid = settings.wrong(kind, value, message.substring(message.indexOf("expected ") + 9));
            LOG.error("{}; requests for {} fail until it is corrected", invalid.reason(), device);
        }
    }

    /** {@return whether a name is that of the device, or leads to the same file} */
    private boolean isDevice(String asked) {
        if (asked.equals(device)) {
            return true;
        }
        try {
            return asked.startsWith("/") && device.startsWith("/") && Files.isSameFile(Path.of(asked), Path.of(device));
        } catch (IOException | InvalidPathException e) {
            return false; // one of them does not exist
        }
    }

    @Override
    public List<Demand> demands(String asked) {
        if (!isDevice(asked)) {
            return List.of();
        }
        if (invalid != null) {
            throw HeapException.of(invalid.errno(), invalid.reason());
        }
        return demands.stream()
                .map(demand -> Demand.of(asked, demand.value(), demand.why()))
                .toList();
    }
}
