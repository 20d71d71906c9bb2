// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Where things are in an unpacked gateway. It may lie anywhere, be read-only and be moved. */
record Home(Path folder) {
    /** The gateway whose {@code lib} folder this class was loaded from. */
    static Home ofThisJar() throws Failure {
        try {
            Path jar = Path.of(Home.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            Home home = new Home(jar.toAbsolutePath().getParent().getParent());
            if (!Files.isDirectory(home.bundles())) {
                throw Failure.of("there is no folder " + home.bundles() + ": the launcher belongs in a gateway's lib");
            }
            return home;
        } catch (URISyntaxException e) {
            throw Failure.of("the gateway's own folder is unknown: " + Sentence.of(e), e);
        }
    }

    /** Every jar in here is installed and started. */
    Path bundles() {
        return folder.resolve("bundles");
    }

    /** Every jar in here runs while it is there. */
    Path deploy() {
        return folder.resolve("deploy");
    }

    /** Where the user's configuration is. */
    Path etc() {
        return folder.resolve("etc");
    }

    /** The framework properties that a user may edit. */
    Path settings() {
        return etc().resolve("gateway.properties");
    }

    /**
     * The folder that the system gives a service for its state, where there is one.
     *
     * @param folders the variable STATE_DIRECTORY of systemd, which may name several; null when it is not set
     */
    static Optional<Path> state(String folders) {
        return Optional.ofNullable(folders)
                .filter(names -> !names.isBlank())
                .map(names -> Path.of(names.split(":")[0]));
    }

    /**
     * Room for what the framework writes while it runs.
     *
     * @param state the folder for the state of a service, which is preferred to the gateway's own
     */
    Path cache(Optional<Path> state) {
        return state.orElse(folder).resolve("cache");
    }
}
