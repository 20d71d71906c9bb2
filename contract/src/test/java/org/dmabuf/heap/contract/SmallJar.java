// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import java.io.IOException;
import java.io.OutputStream;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.osgi.annotation.versioning.ProviderType;

/** Bundle with the package {@code acme}, compiled from a few lines. */
final class SmallJar {
    private static final Pattern NAME = Pattern.compile("(?:class|interface) (\\w+)");

    private SmallJar() {}

    /**
     * Compiles and packs.
     *
     * @param folder to work in
     * @param exports value of Export-Package
     * @param types of the package, each without the line of the package
     * @return the jar
     */
    static Path of(Path folder, String exports, String... types) throws IOException {
        Path work = Files.createTempDirectory(folder, "jar");
        List<Path> sources = new ArrayList<>();
        for (String type : types) {
            Matcher name = NAME.matcher(type);
            if (!name.find()) {
                throw new IllegalArgumentException(type);
            }
            sources.add(Files.writeString(
                    work.resolve(name.group(1) + ".java"),
                    "package acme; import org.osgi.annotation.versioning.*; public " + type));
        }
        compile(sources, work);
        return pack(work, exports);
    }

    private static void compile(List<Path> sources, Path target) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter errors = new StringWriter();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            List<String> options = List.of(
                    "-proc:none", "-d", target.toString(), "-cp", annotations().toString());
            if (!compiler.getTask(errors, files, null, options, null, files.getJavaFileObjectsFromPaths(sources))
                    .call()) {
                throw new IllegalArgumentException(errors.toString());
            }
        }
    }

    private static Path annotations() {
        try {
            return Path.of(ProviderType.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Path pack(Path work, String exports) throws IOException {
        Manifest manifest = new Manifest();
        Attributes main = manifest.getMainAttributes();
        main.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        main.putValue("Bundle-ManifestVersion", "2");
        main.putValue("Bundle-SymbolicName", "acme");
        main.putValue("Export-Package", exports);
        Path jar = work.resolve("acme.jar");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file, manifest);
                Stream<Path> classes = Files.list(work.resolve("acme"))) {
            for (Path type : classes.toList()) {
                out.putNextEntry(new JarEntry("acme/" + type.getFileName()));
                Files.copy(type, out);
            }
        }
        return jar;
    }
}
