// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Search order for the control socket. The setting {@value #SETTING} comes first, then the folder that the system gives
 * to a service or a user, then the folder for temporary files.
 *
 * @param setting the value of {@value #SETTING}; blank if it is not set
 * @param environment of the process
 * @param user number of the process's user
 * @param system folder of services' sockets
 * @param temporary the folder for temporary files
 */
public record SocketPlaces(String setting, Map<String, String> environment, int user, Path system, Path temporary) {
    /** The property in etc/gateway.properties. */
    public static final String SETTING = "control.socket";

    /** Value of the setting for no socket. */
    public static final String NOWHERE = "none";

    private static final String FOLDER = "dmaheap-gateway";
    private static final String FILE = "control";

    public SocketPlaces {
        environment = Map.copyOf(environment);
        setting = setting == null ? "" : setting.strip();
    }

    public static SocketPlaces ofThisProcess(String setting) throws IOException {
        return new SocketPlaces(setting, System.getenv(), User.own(), Path.of("/run"), Path.of("/tmp"));
    }

    /** {@return where a gateway opens its socket; empty if the setting forbids one} */
    public Optional<SocketPlace> toOpen() {
        if (setting.equals(NOWHERE)) {
            return Optional.empty();
        }
        if (!setting.isEmpty()) {
            return Optional.of(SocketPlace.inFolderOfSystem(Path.of(setting).toAbsolutePath()));
        }
        Optional<SocketPlace> service = variable("RUNTIME_DIRECTORY")
                .map(folders -> Path.of(folders.split(":")[0]).resolve(FILE))
                .map(SocketPlace::inFolderOfSystem);
        return service.or(() -> userFolder().map(SocketPlace::inOwnFolder))
                .or(() -> Optional.of(SocketPlace.inOwnFolder(inTemporary())));
    }

    /** {@return where a client looks, in this order; empty if the setting forbids a socket} */
    public List<SocketPlace> toAsk() {
        if (setting.equals(NOWHERE)) {
            return List.of();
        }
        if (!setting.isEmpty()) {
            return List.of(SocketPlace.inFolderOfSystem(Path.of(setting).toAbsolutePath()));
        }
        List<SocketPlace> places = new ArrayList<>();
        places.add(SocketPlace.inFolderOfSystem(system.resolve(FOLDER).resolve(FILE)));
        userFolder().ifPresent(path -> places.add(SocketPlace.inOwnFolder(path)));
        places.add(SocketPlace.inOwnFolder(inTemporary()));
        return places;
    }

    /** Ignores the folder of another user, which su leaves in the environment. */
    private Optional<Path> userFolder() {
        return variable("XDG_RUNTIME_DIR")
                .map(Path::of)
                .filter(folder -> folder.isAbsolute() && isOwn(folder))
                .map(folder -> folder.resolve(FOLDER).resolve(FILE));
    }

    private Path inTemporary() {
        return temporary.resolve(FOLDER + "-" + user).resolve(FILE);
    }

    private boolean isOwn(Path folder) {
        try {
            return Files.getAttribute(folder, "unix:uid").equals(user);
        } catch (IOException e) {
            return false;
        }
    }

    private Optional<String> variable(String name) {
        return Optional.ofNullable(environment.get(name)).filter(value -> !value.isBlank());
    }
}
