// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What this process holds of shareable memory at one moment: its descriptors, and its shared mappings. Two states tell
 * what was left behind in between.
 *
 * <pre>{@code
 * ProcessState before = ProcessState.now();
 * // allocate, map, export, release
 * before.assertNothingLeft();
 * }</pre>
 *
 * <p>Not looked at, because the Java machine comes and goes with it at will: private mappings; class files, jars and
 * modules; sources of random numbers; its own shared memory. Other threads of the process are looked at: a test runs
 * alone.
 */
public final class ProcessState {
    /** How long another thread (a reaper, a collector) may take to give back what it holds. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final List<String> MACHINE_ENDINGS = List.of(".jar", ".jmod", ".class", ".jsa", "/lib/modules");
    private static final List<String> MACHINE_PATHS =
            List.of("/dev/random", "/dev/urandom", "/memfd:java_heap", "/tmp/hsperfdata_");

    private final Set<String> descriptors;
    private final Set<String> sharedMappings;

    private ProcessState(Set<String> descriptors, Set<String> sharedMappings) {
        this.descriptors = descriptors;
        this.sharedMappings = sharedMappings;
    }

    /** {@return what the process holds now} */
    public static ProcessState now() {
        try {
            return new ProcessState(readDescriptors(), readSharedMappings());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Lists what a later state has and this one has not.
     *
     * @param later taken after this
     * @return one line for each descriptor and each mapping, empty when nothing was left behind
     */
    public List<String> leftIn(ProcessState later) {
        List<String> left = new ArrayList<>();
        later.descriptors.stream().filter(line -> !descriptors.contains(line)).forEach(left::add);
        later.sharedMappings.stream()
                .filter(line -> !sharedMappings.contains(line))
                .forEach(left::add);
        return left;
    }

    /**
     * Checks that the process holds nothing now that it did not hold then. What goes within ten seconds was
     * another thread's to give back, and is not counted.
     *
     * @throws AssertionError with everything that is left
     */
    public void assertNothingLeft() {
        assertNothingLeft(PATIENCE);
    }

    void assertNothingLeft(Duration patience) {
        assertNothingLeft(patience, () -> {});
    }

    /** @param trim gives back what is kept for speed, which is nothing left behind */
    void assertNothingLeft(Duration patience, Runnable trim) {
        long start = System.nanoTime();
        List<String> left = leftIn(now());
        while (!left.isEmpty() && System.nanoTime() - start < patience.toNanos()) {
            try {
                Thread.sleep(5); // nothing tells when another thread is done
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
            trim.run();
            left = leftIn(now());
        }
        if (!left.isEmpty()) {
            throw new AssertionError(left.size() + " left behind:\n  " + String.join("\n  ", left));
        }
    }

    private static Set<String> readDescriptors() throws IOException {
        Set<String> found = new TreeSet<>();
        Path folder = Path.of("/proc/self/fd").toRealPath();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                try {
                    String target = Files.readSymbolicLink(entry).toString();
                    if (isOfInterest(target) && !target.equals(folder.toString())) {
                        found.add("descriptor " + entry.getFileName() + " of " + target);
                    }
                } catch (NoSuchFileException e) {
                    // closed by another thread since it was listed
                }
            }
        }
        return found;
    }

    private static Set<String> readSharedMappings() throws IOException {
        Set<String> found = new TreeSet<>();
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"), StandardCharsets.ISO_8859_1)) {
            // address, permissions, offset, device, inode, path; the path may be missing or hold blanks
            if (line.charAt(line.indexOf(' ') + "rw-s".length()) != 's') {
                continue;
            }
            String[] fields = line.split("\\s+", 6);
            String path = fields.length > 5 ? fields[5] : "nothing with a name";
            if (isOfInterest(path)) {
                found.add("mapping " + fields[0] + " " + fields[1] + " of " + path + ", inode " + fields[4]);
            }
        }
        return found;
    }

    private static boolean isOfInterest(String target) {
        String path = target.replace(" (deleted)", "");
        return MACHINE_ENDINGS.stream().noneMatch(path::endsWith)
                && MACHINE_PATHS.stream().noneMatch(path::startsWith);
    }

    @Override
    public String toString() {
        return descriptors.size() + " descriptors, " + sharedMappings.size() + " shared mappings";
    }
}
