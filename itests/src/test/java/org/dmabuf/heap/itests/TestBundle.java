// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.dmabuf.heap.itests.agent.Agent;
import org.dmabuf.heap.itests.blocking.Blocking;
import org.dmabuf.heap.itests.client.LastWords;
import org.dmabuf.heap.itests.events.EventPrinter;
import org.dmabuf.heap.itests.failing.FailingHeap;
import org.dmabuf.heap.itests.hanging.HangingHeap;
import org.dmabuf.heap.itests.leaky.LeakyClient;
import org.dmabuf.heap.itests.lying.LyingHeap;
import org.dmabuf.heap.itests.unruly.UnrulyHeap;
import org.dmabuf.heap.itests.vanishing.VanishingHeap;
import org.osgi.framework.Constants;

/** A small bundle that a test builds from its own classes. The bundle's class loader loads these classes again. */
final class TestBundle {
    private static final String IMPORTS =
            "org.osgi.framework,org.dmabuf.heap,org.dmabuf.heap.spi,org.dmabuf.heap.linux.source";

    private static final String COMPONENT = "OSGI-INF/component.xml";

    private final String symbolicName;
    private final byte[] jar;

    private TestBundle(String symbolicName, byte[] jar) {
        this.symbolicName = symbolicName;
        this.jar = jar;
    }

    /** {@return a vendor's heap with a false announcement} */
    static TestBundle lyingHeap(String symbolicName) throws IOException {
        return of(symbolicName, LyingHeap.class, List.of("LyingHeap"));
    }

    /** {@return a vendor's heap that withdraws its service after some allocations} */
    static TestBundle vanishingHeap() throws IOException {
        return of("org.example.vanishing", VanishingHeap.class, List.of("VanishingHeap"));
    }

    /** {@return an empty bundle, whose context a test uses to get services} */
    static TestBundle empty(String symbolicName) throws IOException {
        return new TestBundle(symbolicName, write(manifest(symbolicName), List.of()));
    }

    /** {@return a client that runs an action of the test while it stops} */
    static TestBundle client(String symbolicName) throws IOException {
        return of(symbolicName, LastWords.class, List.of("LastWords"));
    }

    /** {@return a client that loses a buffer every second without closing it} */
    static TestBundle leaky(String symbolicName) throws IOException {
        return of(symbolicName, LeakyClient.class, List.of("LeakyClient"));
    }

    /** {@return a vendor's bundle with a heap that hangs and one that is refused} */
    static TestBundle hangingHeap() throws IOException {
        return of("org.example.hanging", HangingHeap.class, List.of("HangingHeap"));
    }

    /** {@return a bundle whose start blocks until a file exists} */
    static TestBundle blocking(String symbolicName, Path until) throws IOException {
        Manifest manifest = manifest(symbolicName);
        manifest.getMainAttributes().putValue(Constants.BUNDLE_ACTIVATOR, Blocking.class.getName());
        manifest.getMainAttributes().putValue(Constants.IMPORT_PACKAGE, "org.osgi.framework");
        manifest.getMainAttributes().putValue("Start-When", until.toString());
        return new TestBundle(
                symbolicName, write(manifest, List.of(Blocking.class.getName().replace('.', '/') + ".class")));
    }

    /** {@return a bundle with a command that changes configurations} */
    static TestBundle agent() throws IOException {
        Manifest manifest = manifest("org.example.agent");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_ACTIVATOR, Agent.class.getName());
        manifest.getMainAttributes().putValue(Constants.IMPORT_PACKAGE, "org.osgi.framework,org.osgi.service.cm");
        String name = Agent.class.getName().replace('.', '/') + ".class";
        return new TestBundle("org.example.agent", write(manifest, List.of(name)));
    }

    /** {@return a bundle that logs events of the broker, through the SLF4J 1.7 that it imports} */
    static TestBundle eventPrinter() throws IOException {
        Manifest manifest = manifest("org.example.events");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_ACTIVATOR, EventPrinter.class.getName());
        manifest.getMainAttributes()
                .putValue(
                        Constants.IMPORT_PACKAGE,
                        "org.osgi.framework,org.dmabuf.heap,org.osgi.service.event;version=\"[1.3,2)\","
                                + "org.slf4j;version=\"[1.7,2)\",org.slf4j.helpers;version=\"[1.7,2)\","
                                + "org.slf4j.spi;version=\"[1.7,2)\"");
        String name = EventPrinter.class.getName().replace('.', '/') + ".class";
        return new TestBundle("org.example.events", write(manifest, List.of(name)));
    }

    /** {@return the heap that misbehaves on request} */
    static TestBundle unrulyHeap() throws IOException {
        return of("org.example.unruly", UnrulyHeap.class, List.of("UnrulyHeap", "UnrulyBuffer"));
    }

    /** {@return a vendor's heap whose component fails in its constructor} */
    static TestBundle failingHeap() throws IOException {
        Manifest manifest = manifest("org.example.failing");
        manifest.getMainAttributes().putValue(Constants.IMPORT_PACKAGE, "org.dmabuf.heap,org.dmabuf.heap.spi");
        manifest.getMainAttributes().putValue("Service-Component", COMPONENT);
        String name = FailingHeap.class.getName().replace('.', '/') + ".class";
        return new TestBundle("org.example.failing", write(manifest, List.of(name), Map.of(COMPONENT, """
            <scr:component xmlns:scr="http://www.osgi.org/xmlns/scr/v1.3.0" name="slot" immediate="true">
              <implementation class="%s"/>
              <property name="heap.name" value="slot"/>
              <service><provide interface="org.dmabuf.heap.spi.HeapExporter"/></service>
            </scr:component>
            """.formatted(
                        FailingHeap.class.getName()))));
    }

    private static TestBundle of(String symbolicName, Class<?> activator, List<String> classes) throws IOException {
        Manifest manifest = manifest(symbolicName);
        manifest.getMainAttributes().putValue(Constants.BUNDLE_ACTIVATOR, activator.getName());
        manifest.getMainAttributes().putValue(Constants.IMPORT_PACKAGE, IMPORTS);
        String folder = activator.getPackageName().replace('.', '/') + "/";
        return new TestBundle(
                symbolicName,
                write(
                        manifest,
                        classes.stream().map(name -> folder + name + ".class").toList()));
    }

    private static Manifest manifest(String symbolicName) {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_MANIFESTVERSION, "2");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_SYMBOLICNAME, symbolicName);
        return manifest;
    }

    private static byte[] write(Manifest manifest, List<String> entries) throws IOException {
        return write(manifest, entries, Map.of());
    }

    private static byte[] write(Manifest manifest, List<String> entries, Map<String, String> texts) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest)) {
            for (String entry : entries) {
                jar.putNextEntry(new JarEntry(entry));
                try (InputStream in = TestBundle.class.getResourceAsStream("/" + entry)) {
                    in.transferTo(jar);
                }
            }
            for (Map.Entry<String, String> text : texts.entrySet()) {
                jar.putNextEntry(new JarEntry(text.getKey()));
                jar.write(text.getValue().getBytes(StandardCharsets.UTF_8));
            }
        }
        return bytes.toByteArray();
    }

    String symbolicName() {
        return symbolicName;
    }

    InputStream jar() {
        return new ByteArrayInputStream(jar);
    }
}
