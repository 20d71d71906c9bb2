// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Tests of a secret that passes from one process through another to a third. The memory of the process in the middle
 * and its core dump are searched for the secret. The same search in ordinary memory shows that it can succeed.
 */
class HandedThroughTest {
    private static final int BUFFER = 64 << 10;
    private static final int SECRET = (int) Bytes.PAGE;
    /** Long enough that no match occurs by chance, and short enough that part of a copy contains one. */
    private static final int NEEDLE = 16;

    private static final String FOUND = "found";
    private static final String NOT_FOUND = "not found";

    @TempDir
    Path folder;

    private final List<Process> processes = new ArrayList<>();

    /** The process in the middle after both others have ended, the secret, and its output. */
    private record HandedOn(Process middle, byte[] secret, List<String> output) {}

    @BeforeEach
    void require_secret_memory_and_python() {
        SecretMemory.assumeThatTheKernelHasIt();
        if (!isInstalled("python3")) {
            SecretMemory.skip("python3 is not installed");
        }
    }

    @AfterEach
    void end_every_process() throws InterruptedException {
        for (Process process : processes) {
            process.destroyForcibly().waitFor();
        }
    }

    @ParameterizedTest
    @EnumSource(Handing.Kind.class)
    void a_secret_is_not_in_the_memory_of_the_forwarding_process(Handing.Kind kind) throws Exception {
        HandedOn handed = handOn(kind);
        assertEquals(
                kind == Handing.Kind.UNSEEN ? "refused EINVAL" : "mapped " + kind + " 0",
                handed.output().get(1));
        assertEquals(
                kind == Handing.Kind.ORDINARY ? FOUND : NOT_FOUND, searchedInMemory(handed.middle(), handed.secret()));
    }

    /** The forwarding process has no mapping from which the memory could be read. */
    @Test
    void a_process_that_refuses_to_map_has_no_mapping() throws Exception {
        assertEquals(0, secretMappings(handOn(Handing.Kind.UNSEEN).middle()));
        assertEquals(1, secretMappings(handOn(Handing.Kind.SEEN).middle()));
    }

    @ParameterizedTest
    @EnumSource(Handing.Kind.class)
    void a_secret_is_not_in_the_core_dump_of_the_forwarding_process(Handing.Kind kind) throws Exception {
        HandedOn handed = handOn(kind);
        if (leavesItsCoreHere(handed.middle())) {
            signal(handed.middle(), "ABRT");
            assertTrue(handed.middle().waitFor(60, TimeUnit.SECONDS));
        } else if (isInstalled("gcore")) {
            dumpByDebugger(handed.middle());
        } else {
            String why = "skipped: no core dump is left in a process's folder here, and gcore is not installed";
            System.out.println(why);
            abort(why);
        }
        assertEquals(kind == Handing.Kind.ORDINARY ? FOUND : NOT_FOUND, searchedInFile(dump(), handed.secret()));
    }

    private static boolean leavesItsCoreHere(Process process) throws IOException {
        String pattern =
                Files.readString(Path.of("/proc/sys/kernel/core_pattern")).strip();
        boolean unlimited = Files.readAllLines(Path.of("/proc/" + process.pid() + "/limits")).stream()
                .anyMatch(line -> line.matches("Max core file size\\s+unlimited .*"));
        return unlimited && !pattern.isEmpty() && !pattern.startsWith("|") && !pattern.contains("/");
    }

    /** All memory that a debugger can read, including memory that the process excludes from dumps. */
    private void dumpByDebugger(Process process) throws Exception {
        Process gcore = started(
                new ProcessBuilder("gcore", "-a", "-o", folder.resolve("core").toString(), Long.toString(process.pid()))
                        .redirectErrorStream(true));
        String output = new String(gcore.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, gcore.waitFor(), output);
    }

    private HandedOn handOn(Handing.Kind kind) throws Exception {
        Path socket = folder.resolve(kind + ".socket");
        Process middle = started(new ProcessBuilder(
                        "sh",
                        "-c",
                        "ulimit -c unlimited; exec \"$@\"",
                        "sh",
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Xmx32m",
                        "-XX:+UseSerialGC",
                        "-XX:ReservedCodeCacheSize=16m",
                        "-XX:CompressedClassSpaceSize=16m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Handing.class.getName(),
                        kind.name(),
                        socket.toString(),
                        Integer.toString(BUFFER))
                .directory(folder.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT));
        BufferedReader reader = middle.inputReader();
        List<String> lines = new ArrayList<>(List.of(String.valueOf(reader.readLine())));
        assertEquals("listening", lines.getFirst());
        byte[] made = holder("make", socket);
        byte[] taken = holder("take", socket);
        assertEquals(SECRET, made.length);
        assertEquals(HexFormat.of().formatHex(made), HexFormat.of().formatHex(taken));
        lines.add(reader.readLine());
        assertEquals("handed on", reader.readLine());
        return new HandedOn(middle, made, lines);
    }

    private byte[] holder(String action, Path socket) throws Exception {
        Path script = Path.of(getClass().getResource("/holder.py").toURI());
        Process holder = started(
                new ProcessBuilder("python3", script.toString(), action, socket.toString(), Integer.toString(SECRET))
                        .redirectError(ProcessBuilder.Redirect.INHERIT));
        String hex = holder.inputReader().readLine();
        assertEquals(0, holder.waitFor(), "the process that was to " + action + " the secret");
        return HexFormat.of().parseHex(hex);
    }

    private Process started(ProcessBuilder builder) throws IOException {
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private static void signal(Process process, String name) throws Exception {
        assertEquals(
                0,
                new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid())
                        .start()
                        .waitFor());
    }

    /** Finds the dump by its kind, whatever its name; the other files there are sockets. */
    private Path dump() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(Files::isRegularFile)
                    .findFirst()
                    .orElseThrow(() -> new AssertionError("no core dump in " + folder));
        }
    }

    private static long secretMappings(Process process) throws IOException {
        return maps(process).stream()
                .filter(line -> line.contains("/secretmem"))
                .count();
    }

    private static List<String> maps(Process process) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + process.pid() + "/maps"));
    }

    /** Reads the memory as another process of the same user, or root, does. */
    private static String searchedInMemory(Process process, byte[] secret) throws IOException {
        List<byte[]> needles = needles(secret);
        boolean found = false;
        int read = 0;
        try (RandomAccessFile memory = new RandomAccessFile("/proc/" + process.pid() + "/mem", "r")) {
            for (String line : maps(process)) {
                String[] range = line.substring(0, line.indexOf(' ')).split("-");
                long from = Long.parseUnsignedLong(range[0], 16);
                long to = Long.parseUnsignedLong(range[1], 16);
                // Unreadable memory, such as the reserved heap, was never written. vsyscall belongs to the kernel.
                if (line.charAt(line.indexOf(' ') + 1) != 'r' || from < 0) {
                    continue;
                }
                try {
                    found |= contains(memory, from, to, needles);
                    read++;
                } catch (IOException e) {
                    assertTrue(line.contains("/secretmem") || line.contains("[vvar"), line + ": " + e);
                }
            }
        }
        assertTrue(read > 20, "only " + read + " mappings could be read");
        return found ? FOUND : NOT_FOUND;
    }

    private static String searchedInFile(Path file, byte[] secret) throws IOException {
        try (RandomAccessFile core = new RandomAccessFile(file.toFile(), "r")) {
            assertTrue(core.length() > 1 << 20, core.length() + " bytes are no core dump");
            return contains(core, 0, core.length(), needles(secret)) ? FOUND : NOT_FOUND;
        }
    }

    /** Searches for the start, the middle and the end, because a dump may contain part of a copy. */
    private static List<byte[]> needles(byte[] secret) {
        return Stream.of(0, SECRET / 2, SECRET - NEEDLE)
                .map(at -> Arrays.copyOfRange(secret, at, at + NEEDLE))
                .toList();
    }

    private static boolean contains(RandomAccessFile file, long from, long to, List<byte[]> needles)
            throws IOException {
        byte[] window = new byte[1 << 20];
        for (long at = from; at < to; at += window.length - NEEDLE) {
            int length = (int) Math.min(window.length, to - at);
            file.seek(at);
            file.readFully(window, 0, length);
            for (byte[] needle : needles) {
                if (indexOf(window, length, needle) >= 0) {
                    return true;
                }
            }
        }
        return false;
    }

    private static int indexOf(byte[] window, int length, byte[] needle) {
        for (int at = 0; at <= length - needle.length; at++) {
            if (window[at] == needle[0] && Arrays.equals(window, at, at + needle.length, needle, 0, needle.length)) {
                return at;
            }
        }
        return -1;
    }

    private static boolean isInstalled(String program) {
        return Stream.of(System.getenv("PATH").split(":")).anyMatch(path -> Files.isExecutable(Path.of(path, program)));
    }
}
