// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.equinox;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.dmabuf.heap.equinox.client.ClientActivator;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkEvent;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;

/** An Equinox framework, started through the OSGi launch API, with the bundles that are installed in it. */
final class Container {
    private static final Path TARGET = Path.of(System.getProperty("target"));

    private final Framework framework;
    private final BundleContext context;
    private final List<String> errors = new CopyOnWriteArrayList<>();

    private Container(Framework framework) {
        this.framework = framework;
        context = framework.getBundleContext();
        context.addFrameworkListener(event -> {
            if (event.getType() == FrameworkEvent.ERROR) {
                errors.add(event.getBundle() + ": " + event.getThrowable());
            }
        });
    }

    /** Starts a framework without bundles. */
    static Container start() throws BundleException {
        Framework framework = ServiceLoader.load(FrameworkFactory.class)
                .findFirst()
                .orElseThrow()
                .newFramework(Map.of(
                        Constants.FRAMEWORK_STORAGE, TARGET.resolve("equinox").toString(),
                        Constants.FRAMEWORK_STORAGE_CLEAN, Constants.FRAMEWORK_STORAGE_CLEAN_ONFIRSTINIT,
                        Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, Client.class.getPackageName()));
        assertEquals("org.eclipse.osgi", framework.getSymbolicName());
        framework.start();
        return new Container(framework);
    }

    /** {@return the bundles in a folder that the build created, by name} */
    static List<Path> files(String folder) {
        try (Stream<Path> files = Files.list(TARGET.resolve(folder))) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Bundle install(Path file) throws BundleException {
        return context.installBundle(file.toUri().toString());
    }

    /** Installs all files first, and then starts the bundles one after the other, in the same order. */
    void installAndStart(List<Path> files) throws BundleException {
        for (Path file : files) {
            install(file);
        }
        for (Bundle bundle : bundles()) {
            start(bundle);
        }
    }

    /** Installs a client bundle. */
    Bundle installClient(String symbolicName) throws BundleException, IOException {
        Manifest manifest = new Manifest();
        Attributes headers = manifest.getMainAttributes();
        headers.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        headers.putValue(Constants.BUNDLE_MANIFESTVERSION, "2");
        headers.putValue(Constants.BUNDLE_SYMBOLICNAME, symbolicName);
        headers.putValue(Constants.BUNDLE_ACTIVATOR, ClientActivator.class.getName());
        headers.putValue(
                Constants.IMPORT_PACKAGE,
                "org.dmabuf.heap,org.osgi.framework,org.osgi.service.cm," + Client.class.getPackageName());
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        String entry = ClientActivator.class.getName().replace('.', '/') + ".class";
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest);
                InputStream in = Container.class.getResourceAsStream("/" + entry)) {
            jar.putNextEntry(new JarEntry(entry));
            in.transferTo(jar);
        }
        return context.installBundle(symbolicName, new ByteArrayInputStream(bytes.toByteArray()));
    }

    /** Starts a bundle, unless it is a fragment, which cannot be started. */
    static void start(Bundle bundle) throws BundleException {
        if (!isFragment(bundle)) {
            bundle.start();
        }
    }

    /** {@return the client of an active bundle} */
    static Client client(Bundle bundle) {
        return (Client) bundle.getBundleContext().getService(bundle.getRegisteredServices()[0]);
    }

    /** {@return the bundles that are installed besides the framework, in the order of installation} */
    List<Bundle> bundles() {
        return Arrays.stream(context.getBundles()).skip(1).toList();
    }

    Bundle bundle(String symbolicName) {
        return bundles().stream()
                .filter(bundle -> symbolicName.equals(bundle.getSymbolicName()))
                .findFirst()
                .orElseThrow();
    }

    /** {@return the bundles that are not active, and the fragments without a host} */
    List<Bundle> idle() {
        return bundles().stream()
                .filter(bundle -> bundle.getState() != (isFragment(bundle) ? Bundle.RESOLVED : Bundle.ACTIVE))
                .toList();
    }

    /** {@return errors that the framework reported} */
    List<String> errors() {
        return errors;
    }

    private static boolean isFragment(Bundle bundle) {
        return bundle.getHeaders().get(Constants.FRAGMENT_HOST) != null;
    }

    /** Stops the framework; returns when it has stopped. */
    void stop() throws BundleException, InterruptedException {
        framework.stop();
        framework.waitForStop(60_000);
    }
}
