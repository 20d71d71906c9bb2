// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A memory cgroup with a limit, of version 2 or 1, that a test makes.
 *
 * @param limit name of the file that has the limit
 * @param killed name of the file that counts processes killed for memory
 */
record MemoryCgroup(Path folder, String limit, String killed) implements AutoCloseable {
    static final long LIMIT = 320L << 20;
    /** Prefix of lines that the process prints for the test that started it. Its log prints the other lines. */
    static final String LINE_PREFIX = "report: ";

    /** {@return a cgroup below this process's own, or below the nearest ancestor that permits it} */
    static Optional<MemoryCgroup> make() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/cgroup"))) {
            String[] parts = line.split(":", 3);
            Path top = Path.of(parts[1].isEmpty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
            if (!parts[1].isEmpty() && !List.of(parts[1].split(",")).contains("memory")) {
                continue;
            }
            Path folder = top.resolve(parts[2].substring(1)).normalize();
            for (; folder != null && folder.startsWith(top); folder = folder.getParent()) {
                Path mine =
                        folder.resolve("dmaheap-test-" + ProcessHandle.current().pid());
                Optional<MemoryCgroup> made = parts[1].isEmpty()
                        ? make(mine, "memory.max", "memory.events")
                        : make(mine, "memory.limit_in_bytes", "memory.oom_control");
                if (made.isPresent()) {
                    return made;
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<MemoryCgroup> make(Path folder, String limit, String killed) {
        try {
            Files.createDirectory(folder);
        } catch (IOException e) {
            return Optional.empty();
        }
        try {
            // The file must exist; otherwise this is not a memory cgroup.
            Files.writeString(folder.resolve(limit), Long.toString(LIMIT), StandardOpenOption.WRITE);
            // A parent with processes of its own does not accept the process.
            int entered = new ProcessBuilder("sh", "-c", "echo $$ >" + folder.resolve("cgroup.procs"))
                    .redirectErrorStream(true)
                    .start()
                    .waitFor();
            if (entered == 0) {
                return Optional.of(new MemoryCgroup(folder, limit, killed));
            }
        } catch (IOException e) {
            // The next ancestor may permit it.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        folder.toFile().delete();
        return Optional.empty();
    }

    /**
     * Runs a program in it to its end, and checks that it ended well and that no process was killed.
     *
     * @return its lines that begin with "report: ", without that prefix
     */
    List<String> run(Class<?> program, String... arguments) throws IOException, InterruptedException {
        return run("echo $$ >" + folder.resolve("cgroup.procs") + " && exec \"$@\"", program, arguments);
    }

    /** Runs a program by a shell's command, which enters the cgroup unless the program enters it. */
    List<String> run(String shell, Class<?> program, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                "sh",
                "-c",
                shell,
                "sh",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx32m",
                "-cp",
                System.getProperty("java.class.path"),
                program.getName()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        assertEquals(0, kills(), output);
        return output.lines()
                .filter(line -> line.startsWith(LINE_PREFIX))
                .map(line -> line.substring(LINE_PREFIX.length()))
                .toList();
    }

    long kills() throws IOException {
        return Files.readAllLines(folder.resolve(killed)).stream()
                .filter(line -> line.startsWith("oom_kill "))
                .mapToLong(line -> Long.parseLong(line.substring("oom_kill ".length())))
                .sum();
    }

    @Override
    public void close() throws IOException {
        Files.delete(folder);
    }
}
