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
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Snapshot of the descriptors, shared mappings and threads of this process. The difference of two snapshots shows the
 * leaks between them.
 *
 * <pre>{@code
 * ProcessState before = ProcessState.now();
 * // allocate, map, export, release
 * before.assertNothingLeft();
 * }</pre>
 *
 * <p>A snapshot omits what the Java machine opens and closes at any time: private mappings, class files, jars, modules,
 * sources of random numbers, and its own shared memory. It includes the files of other threads, so no other test may
 * run at the same time.
 */
public final class ProcessState {
    /** Longest time until another thread, such as a reaper or the garbage collector, has released its resources. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final List<String> MACHINE_ENDINGS = List.of(".jar", ".jmod", ".class", ".jsa", "/lib/modules");
    private static final List<String> MACHINE_PATHS =
            List.of("/dev/random", "/dev/urandom", "/memfd:java_heap", "/tmp/hsperfdata_");

    private final Set<String> descriptors;
    private final Set<String> sharedMappings;
    /** Names of the threads of Java, by their numbers. */
    private final Map<Long, String> threads;

    private ProcessState(Set<String> descriptors, Set<String> sharedMappings, Map<Long, String> threads) {
        this.descriptors = descriptors;
        this.sharedMappings = sharedMappings;
        this.threads = threads;
    }

    /** {@return a snapshot of this moment} */
    public static ProcessState now() {
        try {
            return new ProcessState(readDescriptors(), readSharedMappings(), readThreads());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Lists the descriptors and mappings that a later snapshot has and this one lacks.
     *
     * @param later taken after this one
     * @return one line for each descriptor and each mapping, empty without a leak
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
     * Checks that the process holds nothing that it did not hold at this snapshot. The check waits up to ten seconds
     * for other threads to release their resources.
     *
     * @throws AssertionError with a list of the leaks
     */
    public void assertNothingLeft() {
        assertNothingLeft(PATIENCE);
    }

    void assertNothingLeft(Duration patience) {
        report(awaitNothingLeft(patience, () -> {}));
    }

    /**
     * Waits until the descriptors and mappings that are open now and were not open at this snapshot are closed.
     *
     * @param trim releases pooled memory, which is not a leak
     * @return one line for each that stays open
     */
    List<String> awaitNothingLeft(Duration patience, Runnable trim) {
        long start = System.nanoTime();
        List<String> left = leftIn(now());
        while (!left.isEmpty() && System.nanoTime() - start < patience.toNanos()) {
            try {
                Thread.sleep(5); // another thread does not signal that it is done
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
            trim.run();
            left.retainAll(leftIn(now())); // other clients may open others meanwhile
        }
        return left;
    }

    static void report(List<String> left) {
        if (!left.isEmpty()) {
            throw new AssertionError(left.size() + " left behind:\n  " + String.join("\n  ", left));
        }
    }

    /**
     * Lists the files of which a later snapshot has more descriptors or mappings. Their numbers and addresses do not
     * matter: memory that a heap opens anew at each start is no growth. A thread that has been started since this
     * snapshot counts, whether or not others of its name have ended.
     *
     * @param least smallest growth that counts
     * @return one line for each file, and for each name of threads without its digits
     */
    List<String> grownIn(ProcessState later, long least) {
        Map<String, Long> before = counts(threads.keySet());
        List<String> grown = new ArrayList<>();
        later.counts(threads.keySet()).forEach((what, count) -> {
            long more = count - before.getOrDefault(what, 0L);
            if (more >= least) {
                grown.add(more + " more: " + what);
            }
        });
        return grown;
    }

    /** @param known numbers of the threads that do not count */
    private Map<String, Long> counts(Set<Long> known) {
        Stream<String> files = Stream.concat(descriptors.stream(), sharedMappings.stream())
                .map(line -> line.substring(0, line.indexOf(' '))
                        + line.substring(line.indexOf(" of ")).replaceFirst(", inode [0-9]+$", ""));
        Stream<String> started = threads.entrySet().stream()
                .filter(thread -> !known.contains(thread.getKey()))
                .map(thread -> "thread '" + thread.getValue().replaceAll("[0-9]+", "") + "'");
        return Stream.concat(files, started)
                .collect(Collectors.groupingBy(what -> what, TreeMap::new, Collectors.counting()));
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
                    // another thread has closed it since it was listed
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
            String path = fields.length > 5 ? fields[5] : "an unnamed file";
            if (isOfInterest(path)) {
                found.add("mapping " + fields[0] + " " + fields[1] + " of " + path + ", inode " + fields[4]);
            }
        }
        return found;
    }

    private static Map<Long, String> readThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .collect(Collectors.toMap(Thread::threadId, Thread::getName));
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
