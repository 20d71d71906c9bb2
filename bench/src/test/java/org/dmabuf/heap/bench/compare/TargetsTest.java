// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TargetsTest {
    /** The medians have a ratio of 1, but ours takes twice as long in two of three turns. */
    private static final List<Row> ROWS = List.of(new Row(
            "fresh",
            "16 MiB",
            List.of(new Series("ours", new double[] {2000, 4000, 1000}), new Series("C", new double[] {1000, 2000, 5000
            }))));

    @TempDir
    private Path folder;

    private Targets targets(String lines) throws IOException {
        return Targets.read(Files.writeString(folder.resolve("targets"), lines));
    }

    @Test
    void aRatioIsTheMedianOfTheTurns() throws IOException {
        assertAll(
                () -> assertTrue(targets("fresh | 16 MiB | ours / C | 2 |").areMet(ROWS)),
                () -> assertFalse(targets("fresh | 16 MiB | ours / C | 1.99 |").areMet(ROWS)));
    }

    @Test
    void aDifferenceIsTheMedianOfTheTurns() throws IOException {
        assertAll(
                () -> assertTrue(targets("fresh | 16 MiB | ours - C | 1 us |").areMet(ROWS)),
                () -> assertFalse(
                        targets("fresh | 16 MiB | ours - C | 999 ns |").areMet(ROWS)));
    }

    @Test
    void aTimeIsTheMedianOfTheTurns() throws IOException {
        assertAll(
                () -> assertTrue(targets("fresh | 16 MiB | ours | 0.002 ms |").areMet(ROWS)),
                () -> assertFalse(targets("fresh | 16 MiB | ours | 1.9 us |").areMet(ROWS)));
    }

    @Test
    void anExplanationAcceptsAMissAndIsShown() throws IOException {
        Targets explained = targets("fresh | 16 MiB | ours / C | 1.5 | the kernel is slow");
        assertTrue(explained.areMet(ROWS));
        assertTrue(explained.table(ROWS).contains("| 1.500x | 2.000x | missed: the kernel is slow |"));
    }

    @Test
    void aFigureThatWasNotMeasuredIsNoMiss() throws IOException {
        Targets others = targets("""
                # a comment

                share | 16 MiB | ours / C | 1 |
                fresh | 16 MiB | ours / Java | 1 |
                fresh | 16 MiB | Java | 1 us |
                """);
        assertTrue(others.areMet(ROWS));
        assertEquals(3, others.table(ROWS).split("not measured", -1).length - 1);
    }

    @Test
    void anInvalidLineIsNamed() {
        assertAll(
                () -> assertTrue(refusal("fresh | 16 MiB | ours / C | 1.5").contains("expected 5 fields")),
                () -> assertTrue(refusal("fresh | 16 MiB | ours | 1.5 |").contains("invalid limit = 1.5 in ")),
                () -> assertTrue(refusal("fresh | 16 MiB | ours / C | 1 us |").contains("invalid limit = 1 us in ")));
    }

    private String refusal(String line) {
        return assertThrows(IllegalArgumentException.class, () -> targets(line)).getMessage();
    }
}
