// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.dmabuf.heap.launcher.unruly.BlockingActivator;

/** Jars for tests: a manifest, and optionally the {@link BlockingActivator}. */
final class TestJar {
    private static final String ACTIVATOR = BlockingActivator.class.getName().replace('.', '/') + ".class";

    private TestJar() {}

    /** Creates a bundle that has only a manifest, atomically. */
    static Path plain(Path jar, String symbolicName, Map<String, String> headers) throws IOException {
        return write(jar, symbolicName, headers, false);
    }

    /** The same, with the activator and its headers. */
    static Path blocking(Path jar, String symbolicName, Map<String, String> headers) throws IOException {
        Map<String, String> all = new HashMap<>(headers);
        all.put("Bundle-Activator", BlockingActivator.class.getName());
        all.merge("Import-Package", "org.osgi.framework", (given, framework) -> given + "," + framework);
        return write(jar, symbolicName, all, true);
    }

    private static Path write(Path jar, String symbolicName, Map<String, String> headers, boolean activator)
            throws IOException {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.putValue("Manifest-Version", "1.0");
        attributes.putValue("Bundle-ManifestVersion", "2");
        attributes.putValue("Bundle-SymbolicName", symbolicName);
        headers.forEach(attributes::putValue);
        Path part = Files.createTempFile(jar.getParent(), "part", "");
        try (OutputStream out = Files.newOutputStream(part);
                JarOutputStream zip = new JarOutputStream(out, manifest)) {
            if (activator) {
                zip.putNextEntry(new JarEntry(ACTIVATOR));
                try (InputStream in = TestJar.class.getResourceAsStream("/" + ACTIVATOR)) {
                    in.transferTo(zip);
                }
            }
        }
        return Files.move(part, jar, StandardCopyOption.ATOMIC_MOVE);
    }
}
