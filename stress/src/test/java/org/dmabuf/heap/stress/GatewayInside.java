// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.apache.felix.eventadmin.impl.Activator;
import org.apache.felix.framework.Felix;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.FrameworkWiring;

/**
 * A gateway in this process: its framework, bundles and settings, and a copy of its configuration that the soak
 * changes.
 */
final class GatewayInside implements AutoCloseable {
    private static final String EXTRA = "org.osgi.framework.system.packages.extra";
    private static final long PATIENCE_SECONDS = 60;

    private final Path work = Files.createTempDirectory("soak-");
    private final Path etc = Files.createDirectory(work.resolve("etc"));
    private final Felix framework;
    private final Bundle eventAdmin;

    GatewayInside(Path home, Tally tally) throws IOException, BundleException {
        Properties settings = new Properties();
        try (InputStream file = Files.newInputStream(home.resolve("etc/gateway.properties"))) {
            settings.load(file);
        }
        Map<String, Object> configuration = new HashMap<>();
        settings.forEach((key, value) -> configuration.put(key.toString(), value));
        configuration.put(EXTRA, configuration.get(EXTRA) + ", org.dmabuf.heap.stress");
        configuration.put(Constants.FRAMEWORK_STORAGE, work.resolve("cache").toString());
        configuration.put("gateway.etc", etc.toString());
        configuration.put("felix.log.level", "1");
        framework = new Felix(configuration);
        framework.start();
        context().registerService(Tally.class, tally, null);
        List<Bundle> bundles = new ArrayList<>();
        for (Path jar : jars(home.resolve("bundles"))) {
            if (!jar.getFileName().toString().contains("jline")) { // needs a terminal
                bundles.add(context().installBundle("reference:" + jar.toUri()));
            }
        }
        // The distribution has only the API of Event Admin. Its implementation is on the class path of these tests.
        eventAdmin = context()
                .installBundle("reference:"
                        + Activator.class.getProtectionDomain().getCodeSource().getLocation());
        for (Bundle bundle : bundles) {
            bundle.start();
        }
    }

    BundleContext context() {
        return framework.getBundleContext();
    }

    Bundle bundle(String symbolicName) {
        return Arrays.stream(context().getBundles())
                .filter(bundle -> symbolicName.equals(bundle.getSymbolicName()))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no bundle " + symbolicName));
    }

    /** {@return the bundle of Event Admin, installed but not started} */
    Bundle eventAdmin() {
        return eventAdmin;
    }

    /** Writes the configuration of one component, as an operator does with an editor. */
    void configure(String component, String lines) throws IOException {
        Path next = work.resolve(component + ".next");
        Files.writeString(next, lines);
        Files.move(next, etc.resolve(component + ".cfg"), StandardCopyOption.ATOMIC_MOVE);
    }

    /** Refreshes bundles and waits until the refresh is done. */
    void refresh(Collection<Bundle> bundles) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        framework.adapt(FrameworkWiring.class).refreshBundles(bundles, event -> done.countDown());
        if (!done.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the framework does not end its refresh of " + bundles);
        }
    }

    /** Builds a bundle from one package of these tests, with the activator of that package. */
    static byte[] jar(String symbolicName, Class<?> activator, Map<String, String> headers) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        Map<String, String> all = new HashMap<>(headers);
        all.put(Constants.BUNDLE_MANIFESTVERSION, "2");
        all.put(Constants.BUNDLE_SYMBOLICNAME, symbolicName);
        all.put(Constants.BUNDLE_ACTIVATOR, activator.getName());
        all.put(
                Constants.IMPORT_PACKAGE,
                "org.osgi.framework, org.dmabuf.heap, org.dmabuf.heap.spi,"
                        + " org.dmabuf.heap.linux.headroom, org.dmabuf.heap.linux.socket,"
                        + " org.dmabuf.heap.linux.source, org.dmabuf.heap.linux.syscall, org.dmabuf.heap.stress");
        all.forEach(manifest.getMainAttributes()::putValue);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        String folder = activator.getPackageName().replace('.', '/');
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest)) {
            Path classes = Path.of(activator
                            .getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .getPath())
                    .resolve(folder);
            try (Stream<Path> files = Files.list(classes)) {
                for (Path file : files.sorted().toList()) {
                    jar.putNextEntry(new ZipEntry(folder + "/" + file.getFileName()));
                    Files.copy(file, jar);
                }
            }
        }
        return bytes.toByteArray();
    }

    Bundle install(String location, byte[] jar) throws BundleException {
        return context().installBundle(location, new ByteArrayInputStream(jar));
    }

    @Override
    public void close() throws BundleException, IOException {
        framework.stop();
        try {
            framework.waitForStop(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try (Stream<Path> files = Files.walk(work)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static List<Path> jars(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".jar"))
                    .sorted()
                    .toList();
        }
    }
}
