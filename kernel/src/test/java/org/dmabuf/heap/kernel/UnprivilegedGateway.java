// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Gateway that runs as its service does: as the user of the service, without a capability, with the access to devices
 * that the shipped udev rules give. It has the bundles for cameras, and the examples of a camera and of GStreamer.
 */
final class UnprivilegedGateway {
    static final String PLUGINS = "/usr/lib/x86_64-linux-gnu/gstreamer-1.0/";

    private final GatewayProcess process;
    private final ServiceUser user;
    private final List<Path> nodes = new ArrayList<>();
    private final Path state;
    private final Path run;
    private final String[] prefix;

    private UnprivilegedGateway(Path folder, GatewayProcess process, ServiceUser user) throws Exception {
        this.process = process;
        this.user = user;
        state = user.folder(folder.resolve("state"));
        run = user.folder(folder.resolve("run"));
        prefix = user.command(
                        "env",
                        "DMAHEAP_STATE=" + state,
                        "DMAHEAP_RUN=" + run,
                        "GST_PLUGIN_SYSTEM_PATH_1_0=" + plugins(folder),
                        "GST_REGISTRY_1_0=" + state.resolve("gstreamer"),
                        "GST_REGISTRY_FORK=no")
                .toArray(String[]::new);
    }

    /** GStreamer loads all of its plugins once for its registry, which takes minutes here. These four suffice. */
    private static Path plugins(Path folder) throws IOException {
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        for (String plugin : List.of("app", "coreelements", "imagefreeze", "video4linux2")) {
            String file = "libgst" + plugin + ".so";
            Files.copy(Path.of(PLUGINS + file), plugins.resolve(file));
        }
        return plugins;
    }

    /**
     * Starts a gateway, and waits for its heaps and bundles.
     *
     * @param folder an existing folder
     */
    static UnprivilegedGateway start(Path folder) throws Exception {
        GatewayProcess.run("chmod", "755", folder.toString());
        GatewayProcess process = GatewayProcess.in(folder);
        Path home = process.home();
        for (String name : List.of("device-constraints", "device-v4l2")) {
            Files.copy(home.resolve("optional/" + name + ".jar"), home.resolve("deploy/" + name + ".jar"));
        }
        for (String name : List.of("camera", "gstreamer-png")) {
            Files.copy(example(name), home.resolve("deploy/" + name + ".jar"));
        }
        // Memory for two frames of 640x360, so that the other frames of a queue come from the system heap.
        Files.writeString(home.resolve("etc/org.dmabuf.heap.carveout-camera.cfg"), "size = 1M\n");
        ServiceUser user = ServiceUser.make(home.resolve("lib/sysusers.d/dmaheap.conf"), folder);
        UnprivilegedGateway gateway = new UnprivilegedGateway(folder, process, user);
        boolean started = false;
        try {
            gateway.start();
            started = true;
            return gateway;
        } finally {
            if (!started) {
                gateway.close();
            }
        }
    }

    private void start() throws Exception {
        // The rule for cameras is in the file, too, behind a sign that the operator removes.
        String rules = Files.readString(process.home().resolve("lib/udev/60-dmaheap.rules"));
        nodes.addAll(UdevRules.apply(rules.replaceFirst("#(ACTION.*\"video4linux\")", "$1")));
        process.start(prefix);
        process.awaitLog(".* - camera.jar runs: .*");
        process.awaitLog(".* - gstreamer-png.jar runs: .*");
        process.await("dmaheap:list", "camera .* udmabuf +yes +serving .*");
    }

    private static Path example(String name) throws IOException {
        Path built = Path.of(System.getenv("CHECKOUT"), "examples/" + name + "/target");
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(built, name + "-*.jar")) {
            return jars.iterator().next();
        }
    }

    GatewayProcess process() {
        return process;
    }

    ServiceUser user() {
        return user;
    }

    /** {@return the folder that the gateway may write to} */
    Path state() {
        return state;
    }

    /** {@return the folder for sockets} */
    Path run() {
        return run;
    }

    /** {@return what a command prints, or the reason of its failure} Any other failure ends the gateway. */
    String attempt(String line) throws IOException {
        return process.run(attempted(line));
    }

    /**
     * Starts a command, while the gateway runs others.
     *
     * @param out for what the command prints, or the reason of its failure
     */
    void begin(String line, Path out) throws IOException {
        process.run(attempted(line) + " > " + out + " &");
    }

    private static String attempted(String line) {
        // Gogo prints the result of a command only if the command is a whole line of the script.
        return "try { echo (" + line + ") } { echo $exception }";
    }

    /** Ends the gateway, and takes its user and its access away. */
    void close() throws Exception {
        process.close();
        for (Path node : nodes) {
            GatewayProcess.run("setfacl", "-b", node.toString());
        }
        user.remove();
    }
}
