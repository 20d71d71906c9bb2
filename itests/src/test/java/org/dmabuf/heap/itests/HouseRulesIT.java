// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.Test;

/** Who may know whom, read off the manifests and classes of the distribution. */
public class HouseRulesIT {
    private static final Path BUNDLES = Path.of(System.getProperty("gateway"), "bundles");
    private static final Pattern OURS = Pattern.compile("org\\.dmabuf\\.heap[a-z.]*");

    /** Each bundle, and the packages of ours that it may import. */
    private static final Map<String, Set<String>> MAY_IMPORT = Map.of(
            "heap-api.jar", Set.of("org.dmabuf.heap"), // its own, so that the framework may share one copy
            "heap-linux.jar", Set.of("org.dmabuf.heap", "org.dmabuf.heap.spi"),
            "heap-broker.jar", Set.of("org.dmabuf.heap", "org.dmabuf.heap.spi", "org.dmabuf.heap.linux"),
            "heap-system.jar", Set.of("org.dmabuf.heap", "org.dmabuf.heap.spi", "org.dmabuf.heap.linux"),
            "heap-cma.jar", Set.of("org.dmabuf.heap", "org.dmabuf.heap.spi", "org.dmabuf.heap.linux"),
            "heap-carveout.jar", Set.of("org.dmabuf.heap", "org.dmabuf.heap.spi", "org.dmabuf.heap.linux"),
            "heap-secure.jar", Set.of("org.dmabuf.heap", "org.dmabuf.heap.spi", "org.dmabuf.heap.linux"),
            "heap-shell.jar", Set.of("org.dmabuf.heap", "org.dmabuf.heap.spi", "org.dmabuf.heap.linux"));

    @Test
    public void no_bundle_imports_more_of_ours_than_the_house_allows() throws IOException {
        Map<String, Set<String>> imports = new TreeMap<>();
        for (Path bundle : ourBundles()) {
            try (JarFile jar = new JarFile(bundle.toFile())) {
                Set<String> packages = new TreeSet<>();
                Matcher matcher = OURS.matcher(jar.getManifest().getMainAttributes().getValue("Import-Package"));
                while (matcher.find()) {
                    packages.add(matcher.group());
                }
                imports.put(bundle.getFileName().toString(), packages);
            }
        }
        assertEquals(MAY_IMPORT.keySet(), imports.keySet());
        imports.forEach((bundle, packages) -> assertTrue(
                bundle + " imports " + packages, MAY_IMPORT.get(bundle).containsAll(packages)));
    }

    @Test
    public void heap_linux_alone_links_native_functions() throws IOException {
        for (Path bundle : ourBundles()) {
            boolean links = mentions(bundle, "java/lang/foreign/Linker");
            assertEquals(bundle.toString(), bundle.endsWith("heap-linux.jar"), links);
        }
    }

    @Test
    public void the_api_needs_nothing_but_java() throws IOException {
        try (JarFile jar = new JarFile(BUNDLES.resolve("heap-api.jar").toFile())) {
            String imports = jar.getManifest().getMainAttributes().getValue("Import-Package");
            for (String clause : imports.split(",(?=[a-z])")) {
                assertTrue(clause, clause.startsWith("java.") || clause.startsWith("org.dmabuf.heap;"));
            }
            String required = jar.getManifest().getMainAttributes().getValue("Require-Capability");
            assertFalse(required, required.replaceAll("osgi\\.ee;filter:=\"[^\"]*\"", "").contains(";"));
        }
    }

    private static Set<Path> ourBundles() throws IOException {
        try (Stream<Path> files = Files.list(BUNDLES)) {
            return new TreeSet<>(files.filter(file -> file.getFileName().toString().startsWith("heap-"))
                    .toList());
        }
    }

    private static boolean mentions(Path bundle, String className) throws IOException {
        try (JarFile jar = new JarFile(bundle.toFile())) {
            for (Enumeration<JarEntry> entries = jar.entries(); entries.hasMoreElements(); ) {
                JarEntry entry = entries.nextElement();
                if (entry.getName().endsWith(".class")) {
                    byte[] bytes = jar.getInputStream(entry).readAllBytes();
                    if (new String(bytes, StandardCharsets.ISO_8859_1).contains(className)) {
                        return true;
                    }
                }
            }
            return false;
        }
    }
}
