// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import aQute.bnd.version.Version;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Comparison of this build's API with that of the last release. */
class CompatibilityIT {
    private static final Path CONTRACT = Path.of(System.getProperty("contract"));

    @Test
    void what_is_exported_agrees_with_the_last_release() throws Exception {
        Path kept = lastKept();
        Breaks breaks = new Breaks(Files.readAllLines(CONTRACT.resolve("breaks.txt")));
        List<String> problems = new ArrayList<>();
        for (String bundle : List.of("heap-api", "heap-linux", "heap-testing")) {
            ExportedPackages before = ExportedPackages.of(kept.resolve(bundle + ".jar"));
            assertFalse(before.versions().isEmpty(), bundle + " exports nothing");
            ExportedPackages now = ExportedPackages.of(Path.of(System.getProperty(bundle)));
            problems.addAll(new Comparison(breaks).problems(before, now));
        }
        problems.addAll(breaks.problems());
        assertTrue(problems.isEmpty(), () -> String.join("\n", problems));
    }

    private static Path lastKept() throws IOException {
        try (Stream<Path> releases = Files.list(CONTRACT.resolve("kept"))) {
            return releases.max(Comparator.comparing(
                            folder -> new Version(folder.getFileName().toString())))
                    .orElseThrow();
        }
    }
}
