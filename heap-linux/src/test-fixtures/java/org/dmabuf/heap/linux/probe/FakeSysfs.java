// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Folder with device files and the entries of their drivers. The device files are links to devices that each machine
 * has, because only root can make others.
 */
public final class FakeSysfs {
    private final Path root;

    public FakeSysfs(Path root) {
        this.root = root;
        write("proc/sys/kernel/osrelease", "6.12.1");
    }

    /** Adds two devices of one driver, {@code /dev/video0} and {@code /dev/video1}. */
    public FakeSysfs withVideo(String driver) {
        device("video4linux", "dev/video0", "/dev/null", "1:3", driver, driver + ".0");
        return device("video4linux", "dev/video1", "/dev/zero", "1:5", driver, driver + ".1");
    }

    /** Adds a device {@code /dev/dri/card0}. */
    public FakeSysfs withCard(String driver) {
        return device("drm", "dev/dri/card0", "/dev/null", "1:3", driver, "0000:00:02.0");
    }

    private FakeSysfs device(String subsystem, String file, String target, String number, String driver, String place) {
        String bus = "sys/devices/platform/" + place;
        String folder = bus + "/" + subsystem + "/" + Path.of(file).getFileName();
        write("sys/module/" + driver + "/parameters/allocators", "0,1");
        write("sys/module/" + driver + "/srcversion", "ABC");
        write("sys/bus/platform/drivers/" + driver + "/bind", "");
        write("sys/class/" + subsystem + "/x", "");
        write(folder + "/name", "camera");
        link(file, Path.of(target));
        link("sys/dev/char/" + number, root.resolve(folder));
        link(folder + "/device", root.resolve(bus));
        link(folder + "/subsystem", root.resolve("sys/class/" + subsystem));
        link(bus + "/driver", root.resolve("sys/bus/platform/drivers/" + driver));
        link("sys/bus/platform/drivers/" + driver + "/module", root.resolve("sys/module/" + driver));
        return this;
    }

    /** Replaces the contents of a file. */
    public void write(String file, String text) {
        try {
            Files.createDirectories(root.resolve(file).getParent());
            Files.writeString(root.resolve(file), text + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void link(String link, Path target) {
        try {
            Files.createDirectories(root.resolve(link).getParent());
            Files.deleteIfExists(root.resolve(link));
            Files.createSymbolicLink(root.resolve(link), target);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
