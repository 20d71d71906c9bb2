// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Dictionary;
import java.util.HashMap;
import java.util.Map;
import org.apache.felix.cm.file.ConfigurationHandler;
import org.dmabuf.heap.linux.component.SettingsFile;
import org.osgi.framework.FrameworkUtil;

/** Parser of the two formats of a file: lines {@code NAME = VALUE}, and Felix's format of typed values. */
final class FileSettings {
    private FileSettings() {}

    /** Parses the lines of a {@code .cfg}. A line that cannot be read is left out. */
    static Map<String, Object> ofLines(byte[] content) {
        Map<String, Object> settings = new HashMap<>();
        SettingsFile.of(new String(content, StandardCharsets.UTF_8)).entries().stream()
                .filter(entry -> !entry.key().isEmpty())
                .forEach(entry -> settings.put(entry.key(), entry.value()));
        return settings;
    }

    /**
     * Parses a {@code .config}.
     *
     * @throws IOException for an error of syntax
     */
    static Map<String, Object> ofTyped(byte[] content) throws IOException {
        try {
            @SuppressWarnings("unchecked") // the handler has an untyped signature
            Dictionary<String, Object> settings = ConfigurationHandler.read(new ByteArrayInputStream(content));
            return settings == null ? Map.of() : FrameworkUtil.asMap(settings);
        } catch (RuntimeException e) { // for a value that is not of its type
            throw new IOException(e.toString(), e);
        }
    }
}
