// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.Manifest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.Test;

/**
 * Checks of the distributed bundles, based on their manifests and classes: imports, exports, origin and licence. The
 * {@code RoomsTest} of each bundle checks the packages inside that bundle.
 */
public class HouseRulesIT {
    private static final Path BUNDLES = Path.of(System.getProperty("gateway"), "bundles");
    private static final Path OPTIONAL = Path.of(System.getProperty("gateway"), "optional");
    private static final String API = "org.dmabuf.heap";
    private static final String SPI = API + ".spi";
    private static final String CONSTRAINT = API + ".constraint";
    private static final String LINUX = API + ".linux.";
    /** One clause of a header: a package with its attributes and directives. */
    private static final Pattern CLAUSE = Pattern.compile("(?:^|,)([a-zA-Z][\\w.]*)((?:;(?:[^\",;]|\"[^\"]*\")*)*)");

    /** Each bundle, with the packages of this project that it may import. */
    private static final Map<String, Set<String>> MAY_IMPORT = Map.ofEntries(
            Map.entry("heap-api.jar", Set.of(API, CONSTRAINT)), // its own, so that the framework may choose one copy
            Map.entry("heap-linux.jar", Set.of(API, CONSTRAINT, SPI)), // outcomes of probes become demands
            Map.entry(
                    "heap-broker.jar",
                    and(
                            CONSTRAINT,
                            andRooms("adopted", "component", "fd", "fence", "headroom", "holder", "syscall", "text"))),
            Map.entry("heap-system.jar", andRooms("component", "headroom", "pool", "source", "syscall", "text")),
            Map.entry("heap-cma.jar", andRooms("component", "headroom", "region", "source", "syscall", "text")),
            Map.entry("heap-carveout.jar", andRooms("component", "headroom", "region", "source", "syscall", "text")),
            Map.entry("heap-secure.jar", andRooms("component", "headroom", "secret", "socket", "source", "syscall")),
            Map.entry("heap-shell.jar", and(CONSTRAINT, andRooms("fd", "process", "socket", "syscall", "text"))),
            Map.entry("heap-native.jar", and(CONSTRAINT, andRooms("component", "socket", "text"))),
            Map.entry("heap-health.jar", Set.of(API, LINUX + "component", LINUX + "socket", LINUX + "text")),
            Map.entry("heap-metrics.jar", Set.of(API, LINUX + "component", LINUX + "text")),
            Map.entry("heap-gateway.jar", andRooms("component", "socket", "text")),
            Map.entry("heap-tck.jar", and(CONSTRAINT, andRooms("fd", "syscall", "text"))),
            Map.entry("heap-console.jar", andRooms("process", "text")),
            Map.entry("device-constraints.jar", and(CONSTRAINT, andRooms("component", "probe"))),
            Map.entry("device-v4l2.jar", and(CONSTRAINT, andRooms("device", "probe", "syscall", "text"))),
            Map.entry("device-drm.jar", and(CONSTRAINT, andRooms("device", "probe", "syscall", "text"))));

    /** Packages of heap-linux that are no promise: each with the attribute that an import must have. */
    private static final Map<String, String> SCOPES = Map.of(
            LINUX + "adopted",
            "broker",
            LINUX + "fence",
            "broker",
            LINUX + "holder",
            "broker",
            LINUX + "process",
            "holders");

    @Test
    public void no_bundle_imports_more_of_this_projects_packages_than_the_table_allows() throws IOException {
        Map<String, Set<String>> imports = new TreeMap<>();
        for (Path bundle : ourBundles()) {
            imports.put(
                    bundle.getFileName().toString(),
                    clauses(manifest(bundle), "Import-Package").keySet().stream()
                            .filter(name -> name.equals(API) || name.startsWith(API + "."))
                            .collect(Collectors.toCollection(TreeSet::new)));
        }
        assertEquals(MAY_IMPORT.keySet(), imports.keySet());
        imports.forEach((bundle, packages) -> assertTrue(
                bundle + " imports " + packages, MAY_IMPORT.get(bundle).containsAll(packages)));
    }

    @Test
    public void packages_for_our_own_bundles_are_exported_and_imported_with_an_attribute() throws IOException {
        Map<String, String> exports = clauses(manifest(BUNDLES.resolve("heap-linux.jar")), "Export-Package");
        for (Map.Entry<String, String> room : SCOPES.entrySet()) {
            String attributes = exports.get(room.getKey());
            assertTrue(room + attributes, attributes.contains("scope=" + room.getValue()));
            assertTrue(room + attributes, attributes.matches(".*;mandatory:=\"?scope\"?(;.*)?"));
        }
        for (Path bundle : ourBundles()) {
            clauses(manifest(bundle), "Import-Package").forEach((name, attributes) -> {
                String scope = SCOPES.get(name);
                assertTrue(bundle + name + attributes, scope == null || attributes.contains("scope=" + scope));
            });
        }
    }

    @Test
    public void no_exported_package_has_a_public_record() throws IOException {
        for (Path bundle : ourBundles()) {
            Set<String> exported = clauses(manifest(bundle), "Export-Package").keySet();
            for (ClassModel type : classes(bundle)) {
                String name = type.thisClass().asInternalName();
                String room = name.substring(0, name.lastIndexOf('/')).replace('/', '.');
                boolean record = type.superclass()
                        .map(ClassEntry::asInternalName)
                        .filter("java/lang/Record"::equals)
                        .isPresent();
                boolean visible = (type.flags().flagsMask() & ClassFile.ACC_PUBLIC) != 0;
                assertFalse(bundle + ": " + name, record && visible && exported.contains(room));
            }
        }
    }

    @Test
    public void heap_linux_alone_links_native_functions_and_one_package_of_it() throws IOException {
        Set<String> linking = new TreeSet<>();
        for (Path bundle : ourBundles()) {
            for (ClassModel type : classes(bundle)) {
                for (var entry : type.constantPool()) {
                    if (entry instanceof ClassEntry used
                            && used.asInternalName().equals("java/lang/foreign/Linker")) {
                        linking.add(type.thisClass().asInternalName().replaceFirst("/[^/]*$", ""));
                    }
                }
            }
        }
        assertEquals(Set.of("org/dmabuf/heap/linux/libc"), linking);
    }

    @Test
    public void the_api_needs_only_java_and_the_frameworks_filters() throws IOException {
        Manifest manifest = manifest(BUNDLES.resolve("heap-api.jar"));
        for (String name : clauses(manifest, "Import-Package").keySet()) {
            boolean own = name.equals(API) || name.equals(CONSTRAINT);
            assertTrue(name, own || name.startsWith("java.") || name.equals("org.osgi.framework"));
        }
        String required = manifest.getMainAttributes().getValue("Require-Capability");
        assertFalse(
                required,
                required.replaceAll("osgi\\.ee;filter:=\"[^\"]*\"", "").contains(";"));
    }

    @Test
    public void every_bundle_states_its_vendor_documentation_and_source() throws IOException {
        for (Path bundle : ourBundles()) {
            Attributes headers = manifest(bundle).getMainAttributes();
            for (String name :
                    List.of("Bundle-Name", "Bundle-Description", "Bundle-Vendor", "Bundle-DocURL", "Bundle-SCM")) {
                assertNotNull(bundle + " has no " + name, headers.getValue(name));
            }
            assertTrue(bundle.toString(), headers.getValue("Bundle-License").startsWith("Apache-2.0;"));
        }
    }

    @Test
    public void every_jar_of_this_project_contains_its_licence() throws IOException {
        Set<Path> jars = ourBundles();
        jars.add(Path.of(System.getProperty("gateway"), "lib", "launcher.jar"));
        jars.add(Path.of(System.getProperty("gateway"), "lib", "agent.jar"));
        byte[] licence = Files.readAllBytes(Path.of(System.getProperty("contract"), "..", "LICENSE"));
        for (Path file : jars) {
            try (JarFile jar = new JarFile(file.toFile())) {
                JarEntry entry = jar.getJarEntry("META-INF/LICENSE");
                assertNotNull(file.toString(), entry);
                assertArrayEquals(
                        file.toString(), licence, jar.getInputStream(entry).readAllBytes());
            }
        }
    }

    /** {@return the API, the SPI, and packages of heap-linux} */
    private static Set<String> andRooms(String... names) {
        return Stream.concat(Stream.of(API, SPI), Stream.of(names).map(LINUX::concat))
                .collect(Collectors.toSet());
    }

    private static Set<String> and(String name, Set<String> others) {
        return Stream.concat(Stream.of(name), others.stream()).collect(Collectors.toSet());
    }

    private static Set<Path> ourBundles() throws IOException {
        try (Stream<Path> bundles = Files.list(BUNDLES);
                Stream<Path> optional = Files.list(OPTIONAL)) {
            Set<Path> ours = Stream.concat(bundles, optional)
                    .filter(file -> file.getFileName().toString().matches("(heap|device)-.*"))
                    .collect(Collectors.toCollection(TreeSet::new));
            ours.add(OPTIONAL.resolve("console/heap-console.jar"));
            return ours;
        }
    }

    private static Manifest manifest(Path bundle) throws IOException {
        try (JarFile jar = new JarFile(bundle.toFile())) {
            return jar.getManifest();
        }
    }

    /** {@return the packages of a header, each with its attributes and directives} */
    private static Map<String, String> clauses(Manifest manifest, String header) {
        Map<String, String> clauses = new TreeMap<>();
        String value = manifest.getMainAttributes().getValue(header);
        Matcher matcher = CLAUSE.matcher(value == null ? "" : value);
        while (matcher.find()) {
            clauses.put(matcher.group(1), matcher.group(2));
        }
        return clauses;
    }

    private static List<ClassModel> classes(Path bundle) throws IOException {
        List<ClassModel> classes = new ArrayList<>();
        try (JarFile jar = new JarFile(bundle.toFile())) {
            for (JarEntry entry : jar.stream().toList()) {
                if (entry.getName().endsWith(".class")) {
                    classes.add(ClassFile.of().parse(jar.getInputStream(entry).readAllBytes()));
                }
            }
        }
        return classes;
    }
}
