// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Folders of a gateway. In the archive, {@code etc} and {@code deploy} are in the gateway's own folder, which may be at
 * any path, read-only, and moved. A package may place each folder elsewhere: by an option, else by a variable of the
 * environment.
 *
 * @param folder the gateway's own folder
 * @param etc folder of the configuration
 * @param deploy folder of jars that run while they are in it
 * @param state folder for files that the gateway writes, if it is not its own folder
 * @param run folder of the control socket, if it is not the default one
 */
record Home(Path folder, Path etc, Path deploy, Optional<Path> state, Optional<Path> run) {
    private static final String SETTINGS = "gateway.properties";

    /** Finds the gateway whose {@code lib} folder contains this class. */
    static Home ofThisJar(Map<String, String> options) throws Failure {
        try {
            Path jar = Path.of(Home.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            Home home = of(jar.toAbsolutePath().getParent().getParent(), options, System.getenv());
            if (!Files.isDirectory(home.bundles())) {
                throw Failure.of("folder " + home.bundles()
                        + " does not exist; put the launcher into the lib folder of a gateway");
            }
            return home;
        } catch (URISyntaxException e) {
            throw Failure.of("finding the gateway's folder failed: " + Sentence.of(e), e);
        }
    }

    /**
     * Chooses the folders. Systemd sets its variables for each child process of a service. So its configuration folder
     * counts only if it is a gateway's. Its runtime folder is a default of the control socket, after the setting.
     *
     * @param folder the gateway's own folder
     * @param options paths by option: {@code --etc}, {@code --deploy}, {@code --state} and {@code --run}
     * @param environment variables {@code DMAHEAP_ETC} and so on, and those of systemd
     */
    static Home of(Path folder, Map<String, String> options, Map<String, String> environment) {
        return new Home(
                folder,
                place("--etc", options, "DMAHEAP_ETC", environment)
                        .or(() -> ofSystemd("CONFIGURATION_DIRECTORY", environment)
                                .filter(etc -> Files.exists(etc.resolve(SETTINGS))))
                        .orElse(folder.resolve("etc")),
                place("--deploy", options, "DMAHEAP_DEPLOY", environment).orElse(folder.resolve("deploy")),
                place("--state", options, "DMAHEAP_STATE", environment)
                        .or(() -> ofSystemd("STATE_DIRECTORY", environment)),
                place("--run", options, "DMAHEAP_RUN", environment));
    }

    private static Optional<Path> place(
            String option, Map<String, String> options, String variable, Map<String, String> environment) {
        return value(option, options)
                .or(() -> value(variable, environment))
                .map(path -> Path.of(path).toAbsolutePath());
    }

    /** Returns the first folder of a variable, which may name several. */
    private static Optional<Path> ofSystemd(String variable, Map<String, String> environment) {
        return value(variable, environment).map(paths -> Path.of(paths.split(":")[0]));
    }

    private static Optional<String> value(String name, Map<String, String> values) {
        return Optional.ofNullable(values.get(name)).filter(value -> !value.isBlank());
    }

    /** Folder of jars that are installed and started. */
    Path bundles() {
        return folder.resolve("bundles");
    }

    /** File of the framework properties that a user may edit. */
    Path settings() {
        return etc.resolve(SETTINGS);
    }

    /** File of the log's properties, which may be missing. */
    Path log() {
        return etc.resolve("simplelogger.properties");
    }

    /** Folder for files that the framework writes while it runs. */
    Path cache() {
        return state.orElse(folder).resolve("cache");
    }

    /** Folder for the configurations that bundles set. */
    Path configurations() {
        return state.orElse(folder).resolve("configurations");
    }

    /** Path of the control socket if the setting has none; blank for the default path. */
    String socket() {
        return run.map(folder -> folder.resolve("control").toString()).orElse("");
    }
}
