// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResultsTest {
    private static List<Row> rows(double nanos) {
        return List.of(new Row("fresh", "16 MiB", List.of(new Series("fresh, source", new double[] {nanos}))));
    }

    @Test
    void writtenResultsCanBeComparedWithLaterOnes(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(
                folder.resolve("compare.json"), Results.json(Map.of("cpu", "a \"fast\" one"), rows(2_000_000)));
        assertEquals(
                "| fresh | 16 MiB | fresh, source | 3.00 ms | 2.00 ms | 1.50 |",
                Results.read(file).ratios(rows(3_000_000)).lines().toList().getLast());
    }
}
