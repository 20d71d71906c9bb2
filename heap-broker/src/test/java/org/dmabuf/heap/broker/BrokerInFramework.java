// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.zip.ZipEntry;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;

/**
 * Base of tests that run the component in a real framework. The bundles are empty jars, and the tests act in their
 * name. The base makes the calls of Declarative Services, so that a test can choose their order.
 */
abstract class BrokerInFramework {
    static final AllocationRequest REQUEST = AllocationRequest.of(4096).withName("frame");

    @TempDir
    Path storage;

    Framework framework;
    Bundle camera;
    Bundle display;
    BrokerComponent component;
    private boolean active;

    @BeforeEach
    void launch() throws Exception {
        framework = ServiceLoader.load(FrameworkFactory.class)
                .findFirst()
                .orElseThrow()
                .newFramework(Map.of(Constants.FRAMEWORK_STORAGE, storage.toString(), "felix.log.level", "0"));
        framework.start();
        camera = bundle("org.example.camera", null);
        display = bundle("org.example.display", null);
        component = new BrokerComponent(framework.getBundleContext(), drain(2000), Map.of());
        activate();
    }

    @AfterEach
    void shutDown() throws Exception {
        if (active) {
            component.deactivate();
        }
        framework.stop();
        framework.waitForStop(0);
    }

    static BrokerComponent.Config drain(int millis) {
        return config(Map.of("drain_ms", millis));
    }

    /** Returns a configuration as Declarative Services makes it: an absent setting has its default. */
    static BrokerComponent.Config config(Map<String, ?> set) {
        return FakeBundle.proxy(
                BrokerComponent.Config.class,
                (self, method, arguments) ->
                        set.containsKey(method.getName()) ? set.get(method.getName()) : method.getDefaultValue());
    }

    /** Installs and starts an empty bundle, with an activator or without. */
    Bundle bundle(String name, Class<? extends BundleActivator> activator) throws Exception {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_MANIFESTVERSION, "2");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_SYMBOLICNAME, name);
        if (activator != null) {
            manifest.getMainAttributes().putValue(Constants.BUNDLE_ACTIVATOR, activator.getName());
            manifest.getMainAttributes().putValue(Constants.IMPORT_PACKAGE, "org.osgi.framework");
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest)) {
            if (activator != null) {
                String file = activator.getName().replace('.', '/') + ".class";
                jar.putNextEntry(new ZipEntry(file));
                try (InputStream code = activator.getClassLoader().getResourceAsStream(file)) {
                    code.transferTo(jar);
                }
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        Bundle bundle = framework
                .getBundleContext()
                .installBundle("test:" + name, new ByteArrayInputStream(bytes.toByteArray()));
        bundle.start();
        return bundle;
    }

    HeapBroker brokerOf(Bundle bundle) {
        BundleContext context = bundle.getBundleContext();
        return context.getService(context.getServiceReference(HeapBroker.class));
    }

    /** Registers a heap and binds it to the component as Declarative Services would. */
    ServiceRegistration<HeapExporter> heap(HeapExporter exporter, Map<String, ?> properties) {
        ServiceRegistration<HeapExporter> registration = framework
                .getBundleContext()
                .registerService(HeapExporter.class, exporter, FrameworkUtil.asDictionary(properties));
        component.addHeap(registration.getReference());
        return registration;
    }

    ServiceRegistration<HeapExporter> memfd() {
        MemfdSource source = MemfdSource.open("system", Syscalls.linux(), Headroom.machine());
        var properties = new HashMap<String, Object>(source.properties());
        properties.put(HeapProperties.NAME, "system");
        return heap(source, properties);
    }

    ServiceRegistration<HeapExporter> heap(String name, HeapExporter exporter) {
        return heap(exporter, Map.of(HeapProperties.NAME, name));
    }

    void remove(ServiceRegistration<HeapExporter> heap) {
        ServiceReference<HeapExporter> reference = heap.getReference();
        heap.unregister();
        component.removeHeap(reference);
    }

    List<HeapState> states() {
        return brokerOf(camera).heaps().stream().map(HeapInfo::state).toList();
    }

    long live() {
        return brokerOf(camera).heaps().stream()
                .mapToLong(info -> info.charged().liveBuffers())
                .sum();
    }

    void activate() {
        component.activate();
        active = true;
    }

    void deactivate() {
        active = false;
        component.deactivate();
    }

    static ServiceReference<PublishedBuffer> published(Bundle by) {
        return by.getBundleContext().getServiceReference(PublishedBuffer.class);
    }

    /** {@return the published buffer, as a bundle gets it} */
    static PublishedBuffer got(Bundle getter) {
        return getter.getBundleContext().getService(published(getter));
    }

    /**
     * Sets a drain longer than the configuration permits. On a busy machine a shorter one would end during the checks.
     */
    void drainWithoutHurry() throws ReflectiveOperationException {
        var nanos = BrokerComponent.class.getDeclaredField("drainNanos");
        nanos.setAccessible(true);
        nanos.set(component, TimeUnit.MINUTES.toNanos(1));
    }

    static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
