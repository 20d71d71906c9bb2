// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.ops4j.pax.exam.CoreOptions.bundle;
import static org.ops4j.pax.exam.CoreOptions.composite;
import static org.ops4j.pax.exam.CoreOptions.junitBundles;
import static org.ops4j.pax.exam.CoreOptions.systemProperty;
import static org.ops4j.pax.exam.CoreOptions.systemTimeout;
import static org.ops4j.pax.exam.CoreOptions.vmOption;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.ops4j.pax.exam.Option;

/** The gateway for a test container: the distributed files, without those that need a terminal. */
final class Gateway {
    private static final Path HOME = Path.of(System.getProperty("gateway")).normalize();
    private static final Path BUNDLES = HOME.resolve("bundles");
    private static final Path DROP_INS = Path.of(System.getProperty("drop.ins"));

    private Gateway() {}

    /** {@return the container's options, inside the test's own process} */
    static Option options() {
        return composite(
                composite(bundleFiles().stream()
                        .map(file -> bundle(file.toUri().toString()))
                        .toArray(Option[]::new)),
                systemProperty("gateway").value(System.getProperty("gateway")),
                systemProperty("drop.ins").value(System.getProperty("drop.ins")),
                systemProperty("gateway.etc").value(HOME.resolve("etc").toString()),
                systemProperty("org.ops4j.pax.logging.DefaultServiceLog.level").value("WARN"),
                vmOption("--enable-native-access=ALL-UNNAMED"),
                vmOption("--sun-misc-unsafe-memory-access=allow"),
                systemTimeout(120_000),
                junitBundles());
    }

    /** {@return the files of the distribution that a test container runs} */
    static List<Path> bundleFiles() {
        try (Stream<Path> files = Files.list(BUNDLES)) {
            return files.filter(
                            file -> !file.getFileName().toString().matches(".*(gogo\\.jline|gogo\\.shell|^jline).*"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@return a bundle that is not part of the gateway, to drop into it} */
    static Path dropIn(String artifact) {
        return DROP_INS.resolve(artifact + ".jar");
    }
}
