// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.TreeSet;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.ProcFile;

/**
 * Entry of a character device in sysfs: its class, and the state of its driver, on which the device's answers depend.
 * It is a snapshot, and reading it does not open the device.
 */
public final class DeviceEntry {
    private static final int FINGERPRINT_BYTES = 8;

    private final String node;
    private final Path folder;
    private final String release;

    private DeviceEntry(String node, Path folder, String release) {
        this.node = node;
        this.folder = folder;
        this.release = release;
    }

    /**
     * Finds the entry of a device.
     *
     * @param root the root of all files, {@code /} but for tests
     * @param device the path of a device file
     * @return its entry; empty for a path that is relative or not of a character device, or a device without an entry
     * @throws HeapException when the file or the entry cannot be read
     */
    public static Optional<DeviceEntry> of(Path root, String device) {
        try {
            if (!device.startsWith("/")) {
                return Optional.empty();
            }
            Path file = root.resolve(Path.of("/").relativize(Path.of(device)));
            if (!Files.exists(file)) {
                return Optional.empty();
            }
            Optional<DeviceNumber> number = DeviceNumber.of(file).filter(any -> !any.isBlock());
            if (number.isEmpty()) {
                return Optional.empty();
            }
            Path entry = root.resolve("sys/dev/" + number.get());
            String release = read(root.resolve("proc/sys/kernel/osrelease"));
            return Files.exists(entry)
                    ? Optional.of(new DeviceEntry(file.toRealPath().toString(), entry.toRealPath(), release))
                    : Optional.empty();
        } catch (InvalidPathException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw HeapException.of(Errno.EIO, "reading the entry of device " + device + " in sysfs failed: " + e);
        }
    }

    /** {@return the path of the device file without symbolic links} */
    public String node() {
        return node;
    }

    /** {@return the class of the device, such as {@code video4linux} or {@code drm}; empty if the kernel shows none} */
    public String subsystem() {
        return name(folder.resolve("subsystem"));
    }

    /** {@return the name of the driver, empty if the kernel shows none} */
    public String driver() {
        return name(folder.resolve("device/driver"));
    }

    /** {@return the release of the running kernel} */
    public String release() {
        return release;
    }

    /**
     * Returns a digest of the device's place on its bus, and of the versions and parameters of its driver's module. Of
     * two devices of one driver it shows the difference, because the names of device files can be exchanged at a boot.
     *
     * @return hexadecimal digits
     */
    public String fingerprint() {
        StringBuilder state = new StringBuilder(place()).append('\n').append(driver());
        Path module = folder.resolve("device/driver/module");
        for (String file : new String[] {"version", "srcversion"}) {
            state.append('\n').append(read(module.resolve(file)));
        }
        for (Path parameter : files(module.resolve("parameters"))) {
            state.append('\n').append(parameter.getFileName()).append('=').append(read(parameter));
        }
        try {
            byte[] digest =
                    MessageDigest.getInstance("SHA-256").digest(state.toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, FINGERPRINT_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("each JDK has SHA-256", e);
        }
    }

    private String place() {
        try {
            return folder.resolve("device").toRealPath().toString();
        } catch (IOException e) {
            return ""; // a device on no bus
        }
    }

    private static Iterable<Path> files(Path folder) {
        TreeSet<Path> files = new TreeSet<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
            all.forEach(files::add);
        } catch (IOException e) {
            // A driver without a module or without parameters.
        }
        return files;
    }

    private static String name(Path link) {
        try {
            return link.toRealPath().getFileName().toString();
        } catch (IOException e) {
            return "";
        }
    }

    private static String read(Path file) {
        return ProcFile.read(file).map(String::strip).orElse("");
    }
}
