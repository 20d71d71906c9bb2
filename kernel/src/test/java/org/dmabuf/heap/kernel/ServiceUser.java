// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * User of the gateway's service in this guest, with a group of the same name. The guest cannot write the host's files,
 * so it mounts files with this user over them until {@link #remove}.
 */
final class ServiceUser {
    private static final String ID = "60990";
    private static final Path PASSWD = Path.of("/etc/passwd");
    private static final Path GROUP = Path.of("/etc/group");

    private ServiceUser() {}

    /**
     * Makes the user.
     *
     * @param sysusers the gateway's file for systemd-sysusers, which names it
     * @param folder for the changed files
     */
    static ServiceUser make(Path sysusers, Path folder) throws Exception {
        String declared = Files.readAllLines(sysusers).stream()
                .filter(line -> line.startsWith("u dmaheap "))
                .findFirst()
                .orElseThrow();
        String name = declared.split(" ")[1];
        cover(PASSWD, name + ":x:" + ID + ":" + ID + "::/nonexistent:/usr/sbin/nologin", folder);
        cover(GROUP, name + ":x:" + ID + ":", folder);
        return new ServiceUser();
    }

    private static void cover(Path file, String first, Path folder) throws Exception {
        Path changed = folder.resolve(file.getFileName());
        Files.write(
                changed,
                Stream.concat(Stream.of(first), Files.readAllLines(file).stream())
                        .toList());
        GatewayProcess.run("mount", "--bind", changed.toString(), file.toString());
    }

    /** {@return a command that becomes this user, without a capability and without a way to get one} */
    List<String> command(String... words) {
        return Stream.concat(
                        Stream.of(
                                "setpriv",
                                "--reuid=" + ID,
                                "--regid=" + ID,
                                "--clear-groups",
                                "--inh-caps=-all",
                                "--bounding-set=-all",
                                "--no-new-privs"),
                        Stream.of(words))
                .toList();
    }

    /** Makes a folder that only this user may write to. */
    Path folder(Path path) throws Exception {
        Files.createDirectory(path);
        GatewayProcess.run("chown", ID + ":" + ID, path.toString());
        return path;
    }

    void requireOf(long pid) throws Exception {
        List<String> status = Files.readAllLines(Path.of("/proc/" + pid + "/status"));
        assertTrue(status.contains("Uid:\t" + String.join("\t", ID, ID, ID, ID)), status.toString());
        assertTrue(status.contains("Gid:\t" + String.join("\t", ID, ID, ID, ID)), status.toString());
        assertTrue(status.contains("NoNewPrivs:\t1"), status.toString());
        for (String set : List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) {
            assertTrue(status.contains(set + ":\t0000000000000000"), status.toString());
        }
    }

    void remove() throws Exception {
        GatewayProcess.run("umount", PASSWD.toString());
        GatewayProcess.run("umount", GROUP.toString());
    }
}
