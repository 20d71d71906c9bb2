// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Folders of an unpacked gateway. It may be at any path, read-only, and moved. */
record Home(Path folder) {
    /** Finds the gateway whose {@code lib} folder contains this class. */
    static Home ofThisJar() throws Failure {
        try {
            Path jar = Path.of(Home.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            Home home = new Home(jar.toAbsolutePath().getParent().getParent());
            if (!Files.isDirectory(home.bundles())) {
                throw Failure.of("folder " + home.bundles()
                        + " does not exist; put the launcher into the lib folder of a gateway");
            }
            return home;
        } catch (URISyntaxException e) {
            throw Failure.of("finding the gateway's folder failed: " + Sentence.of(e), e);
        }
    }

    /** Folder of jars that are installed and started. */
    Path bundles() {
        return folder.resolve("bundles");
    }

    /** Folder of jars that run while they are in it. */
    Path deploy() {
        return folder.resolve("deploy");
    }

    /** Folder of the user's configuration. */
    Path etc() {
        return folder.resolve("etc");
    }

    /** File of the framework properties that a user may edit. */
    Path settings() {
        return etc().resolve("gateway.properties");
    }

    /**
     * Returns the folder that the system gives a service for its state, if any.
     *
     * @param folders systemd's variable STATE_DIRECTORY, which may name several folders; null if it is not set
     */
    static Optional<Path> state(String folders) {
        return Optional.ofNullable(folders)
                .filter(names -> !names.isBlank())
                .map(names -> Path.of(names.split(":")[0]));
    }

    /**
     * Folder for files that the framework writes while it runs.
     *
     * @param state the state folder of a service; it is preferred to the gateway's own folder
     */
    Path cache(Optional<Path> state) {
        return state.orElse(folder).resolve("cache");
    }
}
