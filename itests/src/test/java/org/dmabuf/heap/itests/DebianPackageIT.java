// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.BeforeClass;
import org.junit.ClassRule;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/**
 * Tests of the Debian packages of this build: their content, and their life in a folder that is the root of a system. A
 * test in the guest runs them under systemd.
 */
public class DebianPackageIT {
    private static final String NAME = "dmaheap-gateway";
    private static final Path HOME = Path.of("usr/share/dmaheap-gateway");
    private static final Path SETTINGS = Path.of("etc/dmaheap-gateway");
    private static final Path DEPLOY = Path.of("var/lib/dmaheap-gateway-deploy");
    private static final Path STATE = Path.of("var/lib/dmaheap-gateway");
    private static final Path ENABLED = Path.of("etc/systemd/system/multi-user.target.wants/dmaheap-gateway.service");

    /** Machine names of Linux by Debian's name of an architecture. */
    private static final Map<String, String> MACHINES = Map.of("amd64", "x86_64", "arm64", "aarch64");

    private static final Set<String> ONLY_IN_THE_PACKAGE = Set.of(
            HOME + "/bin/setenv",
            "usr/share/doc/dmaheap-gateway/changelog.gz",
            "usr/share/doc/dmaheap-gateway/copyright",
            "usr/share/lintian/overrides/dmaheap-gateway");

    @ClassRule
    public static final TemporaryFolder UNPACKED = new TemporaryFolder();

    private static Path root;

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    @BeforeClass
    public static void unpack() throws Exception {
        boolean installed = Stream.of(System.getenv("PATH").split(":"))
                .anyMatch(place -> Files.isExecutable(Path.of(place, "dpkg-deb")));
        skipUnless(installed, "dpkg is not installed");
        root = unpack("amd64", UNPACKED);
    }

    @Test
    public void its_fields_name_the_version_the_processor_and_a_java() throws Exception {
        for (String architecture : MACHINES.keySet()) {
            Path file = packageOf(architecture);
            String printed = run(
                    "dpkg-deb",
                    "--showformat=${Package}_${Version}_${Architecture}.deb ${Depends}",
                    "--show",
                    file.toString());
            assertEquals(
                    file.getFileName()
                            + " openjdk-25-jre-headless | java25-runtime-headless,"
                            + " systemd | systemd-standalone-sysusers | systemd-sysusers",
                    printed);
        }
    }

    @Test
    public void a_package_of_a_snapshot_is_older_than_that_of_the_release() throws Exception {
        String archive = UnpackedGateway.ARCHIVE.getFileName().toString();
        String version = archive.substring(NAME.length() + 1, archive.length() - ".tar.gz".length());
        String released = version.replaceFirst("-.*", "");
        run("dpkg", "--compare-versions", version.replace('-', '~'), version.equals(released) ? "eq" : "lt", released);
        String packaged = packageOf("amd64").getFileName().toString().split("_")[1];
        run("dpkg", "--compare-versions", packaged, "ge", version.replace('-', '~'));
    }

    @Test
    public void root_owns_everything_and_no_other_user_can_write() throws Exception {
        for (String architecture : MACHINES.keySet()) {
            String listed =
                    run("dpkg-deb", "--contents", packageOf(architecture).toString());
            Set<String> kinds = listed.lines()
                    .map(line -> line.replaceFirst("^l[rwx-]{9}", "l"))
                    .map(line -> line.split(" ")[0] + " " + line.split(" ")[1])
                    .collect(Collectors.toSet());
            assertEquals(
                    Set.of("drwxr-xr-x root/root", "-rw-r--r-- root/root", "-rwxr-xr-x root/root", "l root/root"),
                    kinds);
        }
    }

    @Test
    public void the_files_in_etc_are_its_conffiles() throws Exception {
        Set<String> listed = Files.readAllLines(root.resolve("DEBIAN/conffiles")).stream()
                .map(path -> path.substring(1))
                .collect(Collectors.toCollection(TreeSet::new));
        Set<String> present = files(root);
        present.removeIf(file -> !file.startsWith("etc/"));
        assertEquals(present, listed);
        assertTrue(listed.toString(), listed.contains("etc/dmaheap-gateway/gateway.properties"));
    }

    @Test
    public void its_checksums_are_those_of_its_files() throws Exception {
        Path sums = root.resolve("DEBIAN/md5sums");
        assertEquals(
                files(root),
                Files.readAllLines(sums).stream()
                        .map(line -> line.split(" +", 2)[1])
                        .collect(Collectors.toCollection(TreeSet::new)));
        run("sh", "-c", "cd \"$1\" && md5sum --check --strict --quiet DEBIAN/md5sums", "sh", root.toString());
    }

    @Test
    public void it_has_the_files_of_the_archive_in_the_places_of_a_debian_system() throws Exception {
        Path archive = UnpackedGateway.in(folder.newFolder("archive").toPath()).home();
        for (Map.Entry<String, String> processor : MACHINES.entrySet()) {
            Path packed = unpack(processor.getKey(), folder);
            Set<String> expected = new TreeSet<>(ONLY_IN_THE_PACKAGE);
            for (String file : files(archive)) {
                boolean ofAnother = file.startsWith("bin/dmaheap-run-") && !file.endsWith(processor.getValue());
                boolean ofImage = file.startsWith("lib/oci/"); // made from the archive's folders
                if (!ofAnother && !ofImage && !file.equals("LICENSE")) {
                    String place = place(file);
                    expected.add(place);
                    assertArrayEquals(place, content(archive.resolve(file)), Files.readAllBytes(packed.resolve(place)));
                }
            }
            assertEquals(expected, files(packed));
            assertTrue(Files.isDirectory(packed.resolve(DEPLOY)));
        }
    }

    @Test
    public void its_links_and_its_units_lead_to_its_files() throws Exception {
        Set<String> targets = new TreeSet<>();
        try (Stream<Path> all = Files.walk(root)) {
            for (Path link : all.filter(Files::isSymbolicLink).toList()) {
                Path target = Path.of("/").resolve(root.relativize(link)).resolveSibling(Files.readSymbolicLink(link));
                targets.add(target.normalize().toString());
            }
        }
        for (String unit : List.of("dmaheap-gateway.service", "dmaheap-agent.service")) {
            String text =
                    Files.readString(root.resolve("usr/lib/systemd/system").resolve(unit));
            assertFalse(text, text.contains("/opt/"));
            Pattern.compile("(?:ExecStart=|file://)(\\S+)")
                    .matcher(text)
                    .results()
                    .map(MatchResult::group)
                    .map(setting -> setting.substring(setting.indexOf("/usr")))
                    .forEach(targets::add);
        }
        assertTrue(targets.toString(), targets.size() > 5);
        for (String target : targets) {
            // without a compiler for that processor, the launcher is not in the package
            if (!target.contains("/dmaheap-run-") || "true".equals(System.getenv("CI"))) {
                assertTrue(target, Files.exists(root.resolve(target.substring(1))));
            }
        }
        assertTrue(Files.isExecutable(root.resolve(HOME).resolve("bin/gateway")));
    }

    @Test
    public void a_gateway_of_a_user_keeps_its_files_in_the_users_home() throws Exception {
        String print = "unset DMAHEAP_STATE XDG_STATE_HOME; STATE_DIRECTORY=%s; HOME=/home/user; . '"
                + root.resolve(HOME).resolve("bin/setenv") + "'; echo \"state: ${DMAHEAP_STATE-}\"";
        assertEquals("state: /home/user/.local/state/dmaheap-gateway\n", run("sh", "-c", print.formatted("")));
        assertEquals("state: \n", run("sh", "-c", print.formatted("/var/lib/dmaheap-gateway")));
    }

    @Test
    public void an_upgrade_keeps_changed_settings_and_jars_and_brings_the_other_new_files() throws Exception {
        Path system = emptySystem();
        install(system, packageOf("amd64"));
        assertTrue(Files.isSymbolicLink(system.resolve(ENABLED)));
        assertTrue(Files.readString(system.resolve("etc/passwd")).contains("dmaheap:x:"));
        assertFalse("created by systemd", Files.exists(system.resolve(STATE)));

        append(system.resolve(SETTINGS).resolve("org.dmabuf.heap.cma.cfg"), "# changed\n");
        Files.delete(system.resolve(SETTINGS).resolve("org.dmabuf.heap.carveout-small.cfg"));
        append(system.resolve(SETTINGS).resolve("org.dmabuf.heap.carveout-camera.cfg"), "size = 1M\n");
        append(system.resolve(DEPLOY).resolve("vendor.jar"), "a jar");
        Files.delete(system.resolve(ENABLED));
        install(system, newer());

        assertTrue(read(system, SETTINGS.resolve("org.dmabuf.heap.cma.cfg")).endsWith("# changed\n"));
        assertTrue(read(system, SETTINGS.resolve("org.dmabuf.heap.system.cfg")).endsWith("# newer\n"));
        assertFalse(Files.exists(system.resolve(SETTINGS).resolve("org.dmabuf.heap.carveout-small.cfg")));
        assertEquals("size = 1M\n", read(system, SETTINGS.resolve("org.dmabuf.heap.carveout-camera.cfg")));
        assertEquals("a jar", read(system, DEPLOY.resolve("vendor.jar")));
        assertFalse("a disabled unit stays disabled", Files.isSymbolicLink(system.resolve(ENABLED)));
    }

    @Test
    public void a_removal_keeps_settings_state_and_jars_and_a_purge_keeps_what_the_administrator_made()
            throws Exception {
        Path system = emptySystem();
        install(system, packageOf("amd64"));
        append(system.resolve(SETTINGS).resolve("org.dmabuf.heap.cma.cfg"), "# changed\n");
        append(system.resolve(SETTINGS).resolve("own.cfg"), "a = b\n");
        append(system.resolve(DEPLOY).resolve("vendor.jar"), "a jar");
        Files.createDirectories(system.resolve(STATE).resolve("configurations"));
        Set<String> kept = new TreeSet<>(Set.of(SETTINGS + "/own.cfg", DEPLOY + "/vendor.jar"));

        dpkg(system, "--remove", NAME);
        assertTrue(read(system, SETTINGS.resolve("org.dmabuf.heap.cma.cfg")).endsWith("# changed\n"));
        assertTrue(Files.isDirectory(system.resolve(STATE).resolve("configurations")));
        assertFalse(Files.exists(system.resolve("usr")));

        dpkg(system, "--purge", NAME);
        Set<String> left = files(system);
        left.removeIf(file -> !file.contains("dmaheap"));
        assertEquals(kept, left);
        assertFalse(Files.exists(system.resolve(STATE)));
        assertFalse(Files.exists(system.resolve(ENABLED), LinkOption.NOFOLLOW_LINKS));
    }

    @Test
    public void a_purge_removes_a_link_to_the_state_and_not_its_target() throws Exception {
        Path system = emptySystem();
        install(system, packageOf("amd64"));
        Path disk = folder.newFolder("another disk").toPath();
        append(disk.resolve("file"), "of the administrator");
        Files.createSymbolicLink(system.resolve(STATE), disk);
        dpkg(system, "--purge", NAME);
        assertFalse(Files.exists(system.resolve(STATE), LinkOption.NOFOLLOW_LINKS));
        assertTrue(Files.exists(disk.resolve("file")));
    }

    /** Returns the newest package of an architecture: {@code target} may have packages of earlier builds. */
    private static Path packageOf(String architecture) throws IOException {
        try (Stream<Path> files = Files.list(UnpackedGateway.ARCHIVE.getParent())) {
            return files.filter(file -> file.getFileName().toString().matches(NAME + "_.*_" + architecture + "\\.deb"))
                    .max(Comparator.comparing(file -> file.toFile().lastModified()))
                    .orElseThrow();
        }
    }

    private static Path unpack(String architecture, TemporaryFolder folder) throws Exception {
        Path unpacked = folder.newFolder().toPath();
        run("dpkg-deb", "--raw-extract", packageOf(architecture).toString(), unpacked.toString());
        return unpacked;
    }

    /** Makes a package with a higher version, in which one conffile has changed. */
    private Path newer() throws Exception {
        Path changed = unpack("amd64", folder);
        Path control = changed.resolve("DEBIAN/control");
        Files.writeString(control, Files.readString(control).replaceFirst("Version: .*", "Version: 99"));
        append(changed.resolve(SETTINGS).resolve("org.dmabuf.heap.system.cfg"), "# newer\n");
        Path built = folder.getRoot().toPath().resolve("newer.deb");
        run("dpkg-deb", "--root-owner-group", "-Znone", "--build", changed.toString(), built.toString());
        return built;
    }

    /** Makes a root without packages. dpkg runs the scripts of the package outside of it, with DPKG_ROOT. */
    private Path emptySystem() throws Exception {
        skipUnless((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0, "only root can install packages");
        for (String program : List.of("systemd-sysusers", "deb-systemd-helper")) {
            skipUnless(Files.isExecutable(Path.of("/usr/bin", program)), program + " is not installed");
        }
        Path system = folder.newFolder("system").toPath();
        for (String name : List.of("info", "updates", "triggers")) {
            Files.createDirectories(system.resolve("var/lib/dpkg").resolve(name));
        }
        Files.createFile(system.resolve("var/lib/dpkg/status"));
        return system;
    }

    private static void install(Path system, Path file) throws Exception {
        dpkg(system, "--force-architecture", "--force-depends", "--force-confdef", "--install", file.toString());
    }

    private static void dpkg(Path system, String... words) throws Exception {
        run(Stream.concat(
                        Stream.of(
                                "dpkg",
                                "--root=" + system,
                                "--log=" + system.resolve("log"),
                                "--force-script-chrootless"),
                        Stream.of(words))
                .toArray(String[]::new));
    }

    /** Returns the place in the package of a file of the archive. */
    private static String place(String file) {
        return switch (file) {
            case "bin/setenv" -> "etc/default/dmaheap-gateway";
            case "sbom.cdx.json" -> "usr/share/doc/dmaheap-gateway/" + file;
            default ->
                file.startsWith("bin/dmaheap-run-")
                        ? file.replaceFirst("bin", "usr/libexec/dmaheap-gateway")
                        : file.replaceFirst("^etc/", SETTINGS + "/")
                                .replaceFirst("^lib/systemd/", "usr/lib/systemd/system/")
                                .replaceFirst("^lib/sysusers.d/", "usr/lib/sysusers.d/")
                                .replaceFirst("^lib/udev/", "usr/lib/udev/rules.d/")
                                .replaceFirst("^(?!etc/|usr/)", HOME + "/");
        };
    }

    private static byte[] content(Path file) throws IOException {
        return file.toString().endsWith(".service")
                ? Files.readString(file)
                        .replace("/opt/dmaheap-gateway", "/" + HOME)
                        .getBytes(StandardCharsets.UTF_8)
                : Files.readAllBytes(file);
    }

    /** Returns the regular files of a root, without those of dpkg. */
    private static Set<String> files(Path root) throws IOException {
        try (Stream<Path> all = Files.walk(root)) {
            return all.filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS))
                    .map(file -> root.relativize(file).toString())
                    .filter(file -> !file.startsWith("DEBIAN/") && !file.startsWith("var/lib/dpkg/"))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static String read(Path system, Path file) throws IOException {
        return Files.readString(system.resolve(file));
    }

    private static void append(Path file, String text) throws IOException {
        Files.writeString(file, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private static String run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(String.join(" ", command) + "\n" + printed, 0, process.waitFor());
        return printed;
    }

    private static void skipUnless(boolean met, String lack) {
        if (!met) {
            assertFalse(lack, "true".equals(System.getenv("CI")));
            System.out.println("skipped: " + lack);
            assumeTrue(lack, false);
        }
    }
}
